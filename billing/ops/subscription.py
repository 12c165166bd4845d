"""`billing subscription`: who has what, its changes and its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

import click

from billing.commands.subscription.cancel import CancelWhen, Unused
from billing.commands.subscription.change import ChangeWhen, Proration
from billing.flows import operating_subscriptions as operating
from billing.flows.order import Done, Order
from billing.flows.parts import Parts
from billing.ops.group import group
from billing.ops.items import ITEM, change_when, proration_of_rest
from billing.ops.opening import opened
from billing.ops.options import as_json, dry_run, ordered
from billing.ops.preview import apply, preview
from billing.ops.telling import tell_done, tell_facts, tell_json
from billing.queries.operations.customers import show_subscription
from billing.queries.operations.finding import find_subscription
from billing.queries.operations.trail import trail_of, work_about
from billing.validators.subscription import NewItem


@group("subscription")
def subscription() -> None:
    """Subscriptions: show, preview, change, cancel, pause, give a coupon."""


subscription.add_command(preview)
subscription.add_command(apply)


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
@click.option("--prorate", is_flag=True, help="Give what is paid and not used back into the balance; with --when now.")
@click.option(
    "--unused",
    type=click.Choice([each.value for each in Unused]),
    help="As --prorate, and where it goes: into the balance, or back to the method that paid.",
)
@ordered
@dry_run
@as_json
def cancel(
    *, name: str, when: str, prorate: bool, unused: str | None, reason: str, by: str, dry_run: bool, as_json: bool
) -> None:
    """Cancel a subscription, with a last invoice of what waits and was used. Open invoices and their retries go on.

    What has come due by now is billed first. A repeat of `period_end` changes nothing and says so.
    """
    if (prorate or unused) and when != CancelWhen.NOW:
        raise click.UsageError("--prorate goes with --when now: at the end of the period nothing is unused.")
    order = Order(actor=by, reason=reason, dry_run=dry_run)
    _tell(
        name,
        lambda made, id_: operating.cancel(
            made,
            id_,
            when=CancelWhen(when),
            prorate=prorate or unused is not None,
            unused=Unused(unused or Unused.BALANCE),
            order=order,
        ),
        dry_run=dry_run,
        as_json=as_json,
    )


@subscription.command("change")
@click.argument("name", metavar="CODE|ID")
@click.option(
    "--item",
    "items",
    type=ITEM,
    metavar="PRICE[:QTY]",
    multiple=True,
    required=True,
    help="A price by its code, and how many of it (1); a metered price takes no quantity. May be repeated.",
)
@change_when
@proration_of_rest
@ordered
@dry_run
@as_json
def change(
    *,
    name: str,
    items: Sequence[NewItem],
    when: str,
    proration: str,
    reason: str,
    by: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Give a subscription other items. What is given is the complete new list: what it leaves out goes.

    Prices of another interval begin a new period, invoiced at once.
    """
    order = Order(actor=by, reason=reason, dry_run=dry_run)
    _tell(
        name,
        lambda made, id_: operating.change(
            made, id_, items=items, when=ChangeWhen(when), proration=Proration(proration), order=order
        ),
        dry_run=dry_run,
        as_json=as_json,
    )


@subscription.command("coupon")
@click.argument("name", metavar="CODE|ID")
@click.argument("coupon_code", metavar="COUPON")
@ordered
@dry_run
@as_json
def coupon(*, name: str, coupon_code: str, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """Give a subscription a coupon, in the place of any that it has; its invoices count anew."""
    order = Order(actor=by, reason=reason, dry_run=dry_run)
    _tell(
        name,
        lambda made, id_: operating.apply_coupon(made, id_, coupon_code=coupon_code, order=order),
        dry_run=dry_run,
        as_json=as_json,
    )


def _door(verb: str, act: Callable[..., Done], about: str) -> None:
    """A command that says nothing but which subscription."""

    @subscription.command(verb, help=about)
    @click.argument("name", metavar="CODE|ID")
    @ordered
    @dry_run
    @as_json
    def door(*, name: str, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
        order = Order(actor=by, reason=reason, dry_run=dry_run)
        _tell(name, lambda made, id_: act(made, id_, order=order), dry_run=dry_run, as_json=as_json)


_door("uncancel", operating.uncancel, "Take a scheduled cancel back: it goes on after the running period.")
_door(
    "pause",
    operating.pause,
    "Pause a subscription: boundaries pass without an invoice, and what is used meanwhile is never billed.\n\n"
    "Open invoices and their retries go on.",
)
_door("resume", operating.resume, "Resume a paused subscription: it is billed again from the next boundary.")


def _tell(name: str, act: Callable[[Parts, UUID], Done], *, dry_run: bool, as_json: bool) -> None:
    """Do it to the subscription of that name, and say what became of it."""
    made = opened()
    with made.begin() as session:
        id_ = find_subscription(session, name)
    tell_done([act(made, id_)], dry_run=dry_run, as_json=as_json, nothing="")
