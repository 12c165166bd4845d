"""The output of section 3."""

from tests.oracle import amounts, times
from tests.oracle.state import Document, Line, Period, World


def _period(*, period: Period | None) -> dict:
    start, end = period or (None, None)
    return {"period_start": times.text(at=start), "period_end": times.text(at=end)}


def _line(*, line: Line, sign: int) -> dict:
    return {
        "kind": line.kind,
        "price": line.price,
        "quantity": amounts.decimal(value=line.quantity),
        "amount": sign * line.amount,
        "discount": sign * line.discount,
        **_period(period=line.period),
    }


def _document(*, document: Document, number: str) -> dict:
    sign = -1 if document.status == "credited" else 1
    return {
        "number": number,
        "kind": document.kind,
        "customer": document.customer.name,
        "subscription": document.subscription.name if document.subscription else None,
        "status": document.status,
        "currency": document.currency,
        "issued_at": times.text(at=document.issued_at),
        "due_at": times.text(at=document.due_at),
        **_period(period=document.period),
        "lines": [_line(line=line, sign=sign) for line in document.lines],
        "subtotal": sign * document.subtotal,
        "discount": sign * document.discount,
        "tax": sign * document.tax,
        "reverse_charge": document.reverse_charge,
        "total": sign * document.total,
        "credit_applied": document.credit_applied,
        "amount_due": document.amount_due,
        "amount_paid": document.amount_paid,
        "amount_refunded": document.amount_refunded,
    }


def output(*, world: World) -> dict:
    """What `--json` writes."""
    ordered = world.ordered()
    numbers: dict[int, str] = {}
    for document in ordered:
        prefix = "INV" if document.kind == "invoice" else "CN"
        count = sum(number.startswith(prefix) for number in numbers.values()) + 1
        numbers[document.place] = f"{prefix}-{count}"
    home = world.seller["currency"]
    charged: dict[str, int] = {home: 0}
    payments = []
    for entry in world.payments:
        document = entry["document"]
        sign = {"succeeded": 1, "refunded": -1, "declined": 0}[entry["status"]]
        charged[document.currency] = charged.get(document.currency, 0) + sign * entry["amount"]
        payments.append({"invoice": numbers[document.place]} | {k: v for k, v in entry.items() if k != "document"})
    return {
        "invoices": [_document(document=document, number=numbers[document.place]) for document in ordered],
        "payments": payments,
        "subscriptions": {
            sub.name: {
                "status": sub.status,
                "current_period_start": times.text(at=sub.start),
                "current_period_end": times.text(at=sub.end),
            }
            for sub in world.subscriptions.values()
        },
        "customers": {
            name: {"credit_balances": {home: 0} | customer.balances} for name, customer in world.customers.items()
        },
        "late_usage": world.late_usage,
        "skipped_periods": world.skipped_periods,
        "refusals": world.refusals,
        "provider": {"net_charged": charged},
        "audit": {"violations": []},
    }
