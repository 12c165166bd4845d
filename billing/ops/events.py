"""`billing events`: what providers told us, and what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import click

from billing.flows import backfill as filling
from billing.flows import looking, operating
from billing.flows.order import Order
from billing.flows.start import start
from billing.kernel.clock import format_instant
from billing.kernel.status import EventStatus
from billing.ops.group import group
from billing.ops.opening import opened
from billing.ops.options import as_json, dry_run, looked, one_or_all, ordered, paged
from billing.ops.telling import tell_done, tell_facts, tell_json, tell_page
from billing.ops.times import INSTANT
from billing.queries.operations.events import EventFilter, list_events, show_event
from billing.queries.operations.finding import find_event
from billing.queries.operations.trail import trail_of, work_about

_COLUMNS = ("event_ref", "type", "object_ref", "status", "tries", "error", "occurred_at", "handled_at", "id")


def filtered(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filters of lists and of bulk replays."""
    for option in reversed(
        (
            click.option(
                "--status",
                type=click.Choice([each.value for each in EventStatus]),
                help="Only events in this state.",
            ),
            click.option("--type", "type_", help="Only of this type, such as payment_intent.succeeded."),
            click.option("--since", type=INSTANT, help="Only those that the provider made at or after this instant."),
            click.option("--object", "object_ref", metavar="REF", help="Only about this object, by the provider's id."),
        )
    ):
        function = option(function)
    return function


@group("events")
def events() -> None:
    """Provider events received: list, show, replay, backfill."""


@events.command("list")
@filtered
@paged
@as_json
def list_(*, limit: int, before: UUID | None, as_json: bool, **filters: Any) -> None:
    """List events, last received first."""
    with opened().begin() as session:
        page = list_events(session, _filter(**filters), before=before, limit=limit)
    tell_page(page, _COLUMNS, as_json=as_json, nothing="No such event.")


@events.command("show")
@click.argument("name", metavar="ID")
@click.option("--body", is_flag=True, help="Open the body too: it may be personal, so it needs --reason.")
@click.option("--reason", help="Why the body is opened; kept in the audit trail.")
@click.option("--by", help="Who; kept in the audit trail.  [default: the user of this machine]")
@as_json
def show(*, name: str, body: bool, reason: str | None, by: str | None, as_json: bool) -> None:
    """Show one event, by our id or the provider's: what it is about, and what became of it."""
    order = looked(by=by, reason=reason, what="The body") if body else None
    made = opened()
    with made.begin() as session:
        id_ = find_event(session, name)
        facts = show_event(session, id_)
        facts |= {"work_items": work_about(session, [id_]), "audit_trail": trail_of(session, [id_])}
    if order is not None:
        facts["body"] = looking.open_body(made, id_, order=order).decode(errors="replace")
    tell_json(facts) if as_json else tell_facts(facts)


@events.command("replay")
@click.argument("name", metavar="[ID]", required=False)
@click.option("--all", "everything", is_flag=True, help="Every event that the filters let through; needs --status.")
@filtered
@ordered
@dry_run
@as_json
def replay(
    *, name: str | None, everything: bool, reason: str, by: str, dry_run: bool, as_json: bool, **filters: Any
) -> None:
    """Have events handled anew, such as dead ones once their cause is mended.

    Handling is order-proof and settles nothing twice. An event that waits to be handled is left alone and says so.
    """
    one_or_all(name, everything=everything)
    if everything and filters["status"] is None:
        raise click.UsageError("--all needs --status, such as --status dead.")
    if not everything and any(filters.values()):
        raise click.UsageError("Filters go with --all.")
    order = Order(actor=by, reason=reason, dry_run=dry_run)
    made = opened()
    if name is not None:
        with made.begin() as session:
            id_ = find_event(session, name)
        done = [operating.replay_event(made, id_, order=order)]
    else:
        done = list(operating.replay_all(made, _filter(**filters), order=order))
    tell_done(done, dry_run=dry_run, as_json=as_json, nothing="No such event.")


@events.command("backfill")
@click.option("--since", type=INSTANT, help="From this instant on, not from where the list was read to.")
@as_json
def backfill(*, since: datetime | None, as_json: bool) -> None:
    """Take in what the provider's list of events has and no delivery brought.

    The provider keeps 30 days. What is stored already costs nothing; the rest is handled as if it had been delivered.
    A run that was stopped goes on where it stood.
    """
    made = opened()
    start(made)
    filled = [asdict(each) for each in filling.backfill(made, since=since)]
    if as_json:
        tell_json({"accounts": filled})
        return
    for each in filled:
        click.echo(
            f"{each['account']}: {each['listed']} events listed from {format_instant(each['from_at'])} "
            f"to {format_instant(each['to_at'])}, {each['new']} of them new."
        )


def _filter(*, status: str | None, type_: str | None, since: datetime | None, object_ref: str | None) -> EventFilter:
    return EventFilter(status=status, type=type_, since=since, object_ref=object_ref)
