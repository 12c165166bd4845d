"""`billing draft`: invoices that wait for their review."""

from __future__ import annotations

import click

from billing.flows import operating_drafts as operating
from billing.flows.order import Order
from billing.ops.group import group
from billing.ops.opening import opened
from billing.ops.options import MINOR, as_json, dry_run, ordered
from billing.ops.telling import tell_done
from billing.queries.operations.finding import find_invoice


@group("draft")
def draft() -> None:
    """Drafts under review: add or remove a line, release."""


@draft.command("add-line")
@click.argument("name", metavar="ID")
@click.option("--description", required=True, help="What the customer reads.")
@click.option(
    "--amount", required=True, type=MINOR, metavar="MINOR", help="In minor units; negative takes something off."
)
@click.option("--tax-rate", default="standard", show_default=True, help="The seller's rate that it bears.")
@click.option("--no-tax", is_flag=True, help="It bears none.")
@ordered
@dry_run
@as_json
def add_line(
    *,
    name: str,
    description: str,
    amount: int,
    tax_rate: str,
    no_tax: bool,
    reason: str,
    by: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Add a line to a draft; its sums follow."""
    made = opened()
    with made.begin() as session:
        id_ = find_invoice(session, name)
    done = operating.add_line(
        made,
        id_,
        description=description,
        amount_minor=amount,
        tax_rate=None if no_tax else tax_rate,
        order=Order(actor=by, reason=reason, dry_run=dry_run),
    )
    tell_done([done], dry_run=dry_run, as_json=as_json, nothing="")


@draft.command("remove-line")
@click.argument("name", metavar="ID")
@click.argument("position", type=click.IntRange(1, operating.MOST_POSITION))
@ordered
@dry_run
@as_json
def remove_line(*, name: str, position: int, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """Take a line off a draft, by its position; its sums follow."""
    made = opened()
    with made.begin() as session:
        id_ = find_invoice(session, name)
    order = Order(actor=by, reason=reason, dry_run=dry_run)
    done = operating.remove_line(made, id_, position=position, order=order)
    tell_done([done], dry_run=dry_run, as_json=as_json, nothing="")


@draft.command("release")
@click.argument("name", metavar="ID")
@ordered
@dry_run
@as_json
def release(*, name: str, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """Issue a draft now instead of when its review ends. `billing invoice list --status draft` lists them."""
    made = opened()
    with made.begin() as session:
        id_ = find_invoice(session, name)
    done = operating.release(made, id_, order=Order(actor=by, reason=reason, dry_run=dry_run))
    tell_done([done], dry_run=dry_run, as_json=as_json, nothing="")
