"""`billing subscription`: who has what, and its end."""

from __future__ import annotations

import click

from billing.commands.subscription.cancel import CancelWhen
from billing.flows import operating
from billing.flows.order import Order
from billing.ops.opening import opened
from billing.ops.options import as_json, dry_run, ordered
from billing.ops.telling import tell_done, tell_facts, tell_json
from billing.queries.operations.customers import show_subscription
from billing.queries.operations.finding import find_subscription
from billing.queries.operations.trail import trail_of, work_about


@click.group("subscription")
def subscription() -> None:
    """Subscriptions: show, cancel."""


@subscription.command("show")
@click.argument("name", metavar="CODE|ID")
@as_json
def show(*, name: str, as_json: bool) -> None:
    """Show one subscription: its prices, its newest periods and the documents that billed them."""
    with opened().begin() as session:
        id_ = find_subscription(session, name)
        facts = show_subscription(session, id_)
        facts |= {"work_items": work_about(session, [id_]), "audit_trail": trail_of(session, [id_])}
    tell_json(facts) if as_json else tell_facts(facts)


@subscription.command("cancel")
@click.argument("name", metavar="CODE|ID")
@click.option(
    "--when",
    type=click.Choice([each.value for each in CancelWhen]),
    required=True,
    help="At once, or when what runs is over.",
)
@ordered
@dry_run
@as_json
def cancel(*, name: str, when: str, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """Cancel a subscription. Open invoices and their retries go on; no money moves.

    `now` is refused (renewal_due) while a period has begun that is not billed yet. A repeat of `period_end` changes
    nothing and says so.
    """
    made = opened()
    with made.begin() as session:
        id_ = find_subscription(session, name)
    order = Order(actor=by, reason=reason, dry_run=dry_run)
    done = operating.cancel(made, id_, when=CancelWhen(when), order=order)
    tell_done([done], dry_run=dry_run, as_json=as_json, nothing="")
