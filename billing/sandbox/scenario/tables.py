"""What a played scenario came to, as tables for people."""

from __future__ import annotations

from typing import Any

import click

from billing.kernel.money import format_minor
from billing.ops.telling import tell_table

Json = dict[str, Any]


def show(told: Json) -> None:
    """Documents with their lines, payments, subscriptions, balances, and what was out of the ordinary."""
    for document in told["invoices"]:
        _show_document(document)
    currencies = {document["number"]: document["currency"] for document in told["invoices"]}
    _table(
        "Payments",
        [{**each, "amount": format_minor(each["amount"], currencies[each["invoice"]])} for each in told["payments"]],
        ("at", "invoice", "amount", "status", "decline_code"),
    )
    _table(
        "Subscriptions",
        [{"subscription": name, **each} for name, each in told["subscriptions"].items()],
        ("subscription", "status", "current_period_start", "current_period_end"),
    )
    balances = [
        {"customer": name, "balance": format_minor(amount, currency)}
        for name, each in told["customers"].items()
        for currency, amount in each["credit_balances"].items()
        if amount
    ]
    _table("Credit", balances, ("customer", "balance"))
    _table("Late usage, which changed nothing", told["late_usage"], ("subscription", "price", "id"))
    _table("Skipped periods", told["skipped_periods"], ("subscription", "period_start", "period_end"))
    _table("Refused steps", told["refusals"], ("step", "at", "do", "code"))
    net = ", ".join(format_minor(amount, currency) for currency, amount in told["provider"]["net_charged"].items())
    click.echo(f"\nCharged by the provider, less refunds: {net or 'nothing'}.")
    broken = len(told["audit"]["violations"])
    click.echo("The audit holds." if not broken else f"{broken} violations of invariants, see above.")


def _show_document(document: Json) -> None:
    currency = document["currency"]
    owner = document["subscription"] or "a charge"
    kind = "Credit note" if document["kind"] == "credit_note" else "Invoice"
    click.echo(f"\n{kind} {document['number']} of {document['customer']}, {owner}, {document['issued_at']}")
    lines = [
        {
            "line": line["description"],
            "kind": line["kind"],
            "quantity": line["quantity"],
            "from": line["period_start"],
            "to": line["period_end"],
            "amount": format_minor(line["amount"], currency),
            "discount": format_minor(line["discount"], currency) if line["discount"] else "",
        }
        for line in document["lines"]
    ]
    if lines:
        tell_table(lines, ("line", "kind", "quantity", "from", "to", "amount", "discount"))
    sums = [
        f"{name} {format_minor(document[name], currency)}" for name in ("subtotal", "discount", "tax") if document[name]
    ]
    sums.append(f"total {format_minor(document['total'], currency)}")
    if document["credit_applied"]:
        sums.append(f"credit used {format_minor(document['credit_applied'], currency)}")
    click.echo(f"{', '.join(sums)}: {document['status']}")


def _table(title: str, rows: list[Json], columns: tuple[str, ...]) -> None:
    if rows:
        click.echo(f"\n{title}:")
        tell_table(rows, columns)
