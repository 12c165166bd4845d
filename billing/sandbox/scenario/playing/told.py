"""What a played scenario came to, as the contract's section 3 shapes it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.flows import audit
from billing.kernel.clock import format_instant
from billing.kernel.money import plain
from billing.models import Invoice, InvoiceLine, Subscription
from billing.queries.audit.invariant import Grace
from billing.sandbox.scenario.playing.acts import in_order
from billing.sandbox.scenario.playing.player import Played

Json = dict[str, Any]


def tell(played: Played) -> Json:
    """Everything that the contract names. Numbers are integers, times UTC with Z."""
    stage, play = played.play.stage, played.play
    names = _Names(played)
    with stage.parts.begin() as session:
        invoices = _invoices(session, names)
        numbers = {invoice["id"]: invoice["number"] for invoice in invoices}
        stuck = session.execute(text(_STUCK)).all()
        told = {
            "invoices": [{name: value for name, value in each.items() if name != "id"} for each in invoices],
            "payments": _payments(session, numbers),
            "subscriptions": _subscriptions(session, names),
            "customers": _customers(session, names, play.scenario.seller.currency),
            "late_usage": _late_usage(session, names),
            "skipped_periods": _skipped(session, names),
        }
    report = audit.run(stage.parts, witness=stage.witness, grace=_grace(played))
    return told | {
        "refusals": [
            {"step": each.step.number, "at": format_instant(each.step.at), "do": each.step.do, "code": each.code}
            for each in sorted(played.refusals, key=lambda refusal: (refusal.step.at, refusal.step.number))
            if each.code is not None
        ],
        "provider": {"net_charged": _net_charged(played)},
        "audit": {
            "violations": [
                *(f"{each.code} {each.subject_type} {each.subject_id}: {each.detail}" for each in report.violations),
                *(f"{each.kind} {each.subject_type} {each.subject_id}: {each.summary} {each.error}" for each in stuck),
            ]
        },
    }


_STUCK = """
    SELECT kind, subject_type, subject_id, summary, coalesce(error, '') AS error FROM billing.work_item
    WHERE status IN ('open', 'parked') ORDER BY id"""
"""Nothing waits for a person at the end of a scenario."""


def _grace(played: Played) -> Grace:
    """Nothing is late, unless the scenario ends in an outage: what is due since that began is not done yet."""
    standing = audit.grace_for(played.play.stage.parts.settings)
    if played.idle_since is None:
        return standing
    return replace(standing, due=played.play.stage.now - played.idle_since + timedelta(microseconds=1))


class _Names:
    """Names of the file by what they have become."""

    def __init__(self, played: Played) -> None:
        play = played.play
        self.subscriptions = {id_: name for name, id_ in play.subscriptions.items()}
        self.customers = {id_: name for name, id_ in play.cast.profiles.items()}
        self.prices = play.cast.prices

    def subscription(self, id_: UUID | None) -> str | None:
        return None if id_ is None else self.subscriptions[id_]


def _invoices(session: Session, names: _Names) -> list[Json]:
    rows = session.execute(
        select(Invoice, Subscription.code)
        .outerjoin(Subscription, Subscription.id == Invoice.subscription_id)
        .where(Invoice.kind != "cancellation", Invoice.number.is_not(None))
    )
    codes = {row.Invoice.id: row.code for row in rows.all() or ()}
    found = session.scalars(select(Invoice).where(Invoice.id.in_(codes))).all()
    lines = defaultdict(list)
    for line in session.scalars(select(InvoiceLine).order_by(InvoiceLine.invoice_id, InvoiceLine.position)):
        lines[line.invoice_id].append(line)
    ordered = in_order(_Placed(each, codes[each.id]) for each in found)
    return [_document(each.invoice, lines[each.id], names) for each in ordered]


class _Placed:
    """A document with what decides its place."""

    def __init__(self, invoice: Invoice, code: str | None) -> None:
        self.invoice, self.code, self.id = invoice, code, invoice.id
        self.issued_at, self.period_start, self.period_end = invoice.issued_at, invoice.period_start, invoice.period_end


def _document(row: Invoice, lines: Iterable[InvoiceLine], names: _Names) -> Json:
    note = row.kind != "invoice"
    return {
        "id": row.id,
        "number": row.number,
        "kind": row.kind,
        "customer": names.customers[row.profile_id],
        "subscription": names.subscription(row.subscription_id),
        "status": row.status,
        "currency": row.currency,
        "issued_at": _at(row.issued_at),
        "due_at": _at(row.due_at),
        "period_start": _at(row.period_start),
        "period_end": _at(row.period_end),
        "lines": [_line(line, names) for line in lines],
        "subtotal": row.subtotal_minor,
        "discount": row.discount_minor,
        "tax": row.tax_minor,
        "reverse_charge": row.reverse_charge,
        "total": row.total_minor,
        "credit_applied": 0 if note else row.credit_applied_minor,
        "amount_due": 0 if note else row.amount_due_minor,
        "amount_paid": row.amount_paid_minor,
        "amount_refunded": row.amount_refunded_minor,
    }


def _line(line: InvoiceLine, names: _Names) -> Json:
    return {
        "kind": line.kind,
        "price": None if line.price_id is None else names.prices[line.price_id],
        "description": line.description,
        "quantity": plain(Decimal(line.quantity)),
        "amount": line.amount_minor,
        "discount": line.discount_minor,
        "period_start": _at(line.period_start),
        "period_end": _at(line.period_end),
    }


_PAYMENTS = text(
    """
    SELECT invoice_id, opened_at AS at, amount_minor, status, decline_code, id FROM billing.payment
    WHERE status IN ('succeeded', 'declined')
    UNION ALL
    SELECT invoice_id, opened_at, amount_minor, 'refunded', NULL, id FROM billing.refund WHERE status = 'succeeded'
    ORDER BY at, id
    """
)


def _payments(session: Session, numbers: dict[UUID, str]) -> list[Json]:
    return [
        {
            "invoice": numbers[row.invoice_id],
            "at": _at(row.at),
            "amount": row.amount_minor,
            "status": row.status,
            "decline_code": row.decline_code,
        }
        for row in session.execute(_PAYMENTS)
    ]


def _subscriptions(session: Session, names: _Names) -> Json:
    rows = session.scalars(select(Subscription).order_by(Subscription.code))
    return {
        names.subscriptions[row.id]: {
            "status": row.status,
            "current_period_start": _at(row.current_period_start),
            "current_period_end": _at(_end_of(row)),
        }
        for row in rows
    }


def _end_of(row: Subscription) -> datetime | None:
    """Of a canceled one its last period ends with it."""
    end = row.current_period_end
    return end if end is None or row.ended_at is None else min(end, row.ended_at)


def _customers(session: Session, names: _Names, currency: str) -> Json:
    """Balances by currency; and, as in the contract's examples, that of the seller's alone."""
    balances: dict[UUID, dict[str, int]] = {id_: {currency: 0} for id_ in names.customers}
    for row in session.execute(text("SELECT profile_id, currency, amount_minor FROM billing.credit_balance")):
        balances[row.profile_id][row.currency] = row.amount_minor
    return {
        name: {"credit_balance": balances[id_][currency], "credit_balances": balances[id_]}
        for id_, name in names.customers.items()
    }


def _late_usage(session: Session, names: _Names) -> list[Json]:
    query = "SELECT subscription_id, price_id, record_id FROM billing.usage_record WHERE late ORDER BY id"
    return [
        {
            "subscription": names.subscriptions[row.subscription_id],
            "price": names.prices[row.price_id],
            "id": row.record_id,
        }
        for row in session.execute(text(query))
    ]


def _skipped(session: Session, names: _Names) -> list[Json]:
    query = """
        SELECT b.subscription_id, b.starts_at, b.ends_at FROM billing.billing_period b
        JOIN billing.subscription s ON s.id = b.subscription_id
        WHERE b.disposition = 'skipped' ORDER BY b.starts_at, s.code"""
    return [
        {
            "subscription": names.subscriptions[row.subscription_id],
            "period_start": _at(row.starts_at),
            "period_end": _at(row.ends_at),
        }
        for row in session.execute(text(query))
    ]


def _net_charged(played: Played) -> dict[str, int]:
    """From the stand-in's own books: what moved, less what went back."""
    net = {played.play.scenario.seller.currency: 0}
    for charge in played.play.stage.witness.charges():
        if charge.status == "succeeded":
            moved = charge.amount_minor - charge.refunded_minor
            net[charge.currency] = net.get(charge.currency, 0) + moved
    return net


def _at(instant: datetime | None) -> str | None:
    return None if instant is None else format_instant(instant)
