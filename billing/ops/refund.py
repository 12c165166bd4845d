"""`billing refund`: what was paid goes back, all of it or a part."""

from __future__ import annotations

import click

from billing.flows import operating
from billing.flows.order import Order
from billing.ops.opening import opened
from billing.ops.options import MINOR, as_json, dry_run, ordered
from billing.ops.telling import tell_done
from billing.queries.operations.finding import find_invoice


@click.command("refund")
@click.argument("name", metavar="NUMBER|ID")
@click.option(
    "--amount", type=MINOR, metavar="MINOR", help="In minor units, tax included.  [default: all that can go back]"
)
@ordered
@dry_run
@as_json
def refund(*, name: str, amount: int | None, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """Give back what was paid on an invoice through the provider, all or a part, with a credit note.

    A worker sends it. At most what was paid, less what was refunded or credited (refund_exceeds_paid). Each order with
    an amount gives it back once more.
    """
    made = opened()
    with made.begin() as session:
        id_ = find_invoice(session, name)
    order = Order(actor=by, reason=reason, dry_run=dry_run)
    done = operating.refund(made, id_, amount_minor=amount, order=order)
    tell_done([done], dry_run=dry_run, as_json=as_json, nothing="")
