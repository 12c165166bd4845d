"""`billing subscription preview` and `apply`: what a change comes to, and the change as it was shown."""

from __future__ import annotations

from typing import Any

import click

from billing.commands.invoice.planned import PlannedInvoice, PlannedLine
from billing.commands.subscription.cancel import CancelWhen
from billing.commands.subscription.change import ChangeWhen, Proration
from billing.flows import previewing
from billing.flows.operating_subscriptions import apply_preview
from billing.flows.order import Order
from billing.flows.previewing import Preview
from billing.kernel.clock import format_instant
from billing.kernel.money import format_minor
from billing.ops.items import ITEM, change_when, proration_of_rest
from billing.ops.opening import opened
from billing.ops.options import as_json, dry_run, ordered
from billing.ops.telling import tell_done, tell_json, tell_table
from billing.queries.operations.finding import find_subscription
from billing.validators.subscription import NewItem

_COLUMNS = ("line", "kind", "quantity", "from", "to", "amount", "discount")


@click.command("preview")
@click.argument("name", metavar="CODE|ID")
@click.option("--item", "items", type=ITEM, metavar="PRICE[:QTY]", multiple=True, help="The complete new list.")
@click.option("--cancel", is_flag=True, help="In place of items: what a cancel would come to.")
@change_when
@proration_of_rest
@click.option("--prorate", is_flag=True, help="Give back what is paid and not used; with --cancel.")
@as_json
def preview(
    *, name: str, items: tuple[NewItem, ...], cancel: bool, when: str, proration: str, prorate: bool, as_json: bool
) -> None:
    """Show exactly what a change or a cancel would come to now. Nothing is written.

    The token that is printed applies it, to the cent, for 15 minutes: `billing subscription apply`.
    """
    if cancel == bool(items):
        raise click.UsageError("give --item once or more, or --cancel")
    made = opened()
    with made.begin() as session:
        id_ = find_subscription(session, name)
        if cancel:
            seen = previewing.preview_cancel(made, session, id_, when=CancelWhen(when), prorate=prorate)
        else:
            seen = previewing.preview_change(
                made, session, id_, items=items, when=ChangeWhen(when), proration=Proration(proration)
            )
    tell_json(_facts(seen)) if as_json else _show(seen)


@click.command("apply")
@click.argument("token")
@ordered
@dry_run
@as_json
def apply(*, token: str, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """Do what a preview showed. Refused once anything that matters has changed since."""
    done = apply_preview(opened(), token, order=Order(actor=by, reason=reason, dry_run=dry_run))
    tell_done([done], dry_run=dry_run, as_json=as_json, nothing="")


def _show(seen: Preview) -> None:
    for document in seen.documents:
        click.echo("At once, a credit note:" if document.kind == "credit_note" else "At once, an invoice:")
        _show_document(document)
    if seen.waiting:
        click.echo("Waiting for the next invoice:")
        tell_table([_line(line, seen.currency) for line in seen.waiting], _COLUMNS)
    if seen.on_drafts:
        click.echo("Taken off the invoice in review:")
        tell_table([_line(line, seen.currency) for line in seen.on_drafts], _COLUMNS)
    if not seen.documents and not seen.waiting:
        click.echo("Nothing is billed at once.")
    if seen.upcoming is not None:
        click.echo(f"The next invoice, at {format_instant(_start(seen.upcoming))}, without usage:")
        _show_document(seen.upcoming)
    click.echo(f"\nAs of {format_instant(seen.at)}. To apply it: billing subscription apply {seen.token}")


def _show_document(document: PlannedInvoice) -> None:
    tell_table([_line(line, document.currency) for line in document.lines], _COLUMNS)
    totals, currency = document.totals, document.currency
    named = (
        ("subtotal", totals.subtotal_minor),
        ("discount", totals.discount_minor),
        ("tax", totals.tax_minor),
        ("total", totals.total_minor),
        ("brought forward", totals.brought_forward_minor),
        ("credit used", totals.credit_applied_minor),
        ("due", totals.amount_due_minor),
    )
    click.echo(", ".join(f"{name} {format_minor(amount, currency)}" for name, amount in named if amount) + "\n")


def _line(line: PlannedLine, currency: str) -> dict[str, Any]:
    return {
        "line": line.description,
        "kind": line.kind,
        "quantity": line.quantity,
        "from": line.period_start,
        "to": line.period_end,
        "amount": format_minor(line.amount_minor, currency),
        "discount": format_minor(line.discount_minor, currency) if line.discount_minor else "",
    }


def _start(document: PlannedInvoice) -> Any:
    return document.period_start


def _facts(seen: Preview) -> dict[str, Any]:
    return {
        "at": seen.at,
        "documents": [_document_facts(document) for document in seen.documents],
        "waiting": [_line_facts(line) for line in seen.waiting],
        "on_drafts": [_line_facts(line) for line in seen.on_drafts],
        "upcoming": _document_facts(seen.upcoming) if seen.upcoming else None,
        "token": seen.token,
    }


def _document_facts(document: PlannedInvoice) -> dict[str, Any]:
    totals = document.totals
    return {
        "kind": document.kind,
        "currency": document.currency,
        "period_start": document.period_start,
        "period_end": document.period_end,
        "lines": [_line_facts(line) for line in document.lines],
        "subtotal_minor": totals.subtotal_minor,
        "discount_minor": totals.discount_minor,
        "tax_minor": totals.tax_minor,
        "total_minor": totals.total_minor,
        "credit_applied_minor": totals.credit_applied_minor,
        "brought_forward_minor": totals.brought_forward_minor,
        "amount_due_minor": totals.amount_due_minor,
    }


def _line_facts(line: PlannedLine) -> dict[str, Any]:
    return {
        "kind": line.kind,
        "description": line.description,
        "quantity": line.quantity,
        "amount_minor": line.amount_minor,
        "discount_minor": line.discount_minor,
        "period_start": line.period_start,
        "period_end": line.period_end,
    }
