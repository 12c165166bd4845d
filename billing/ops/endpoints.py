"""`billing endpoints`: where the host application hears of domain events."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import click

from billing.flows import endpoints as flow
from billing.flows.order import Done, Order
from billing.flows.parts import Parts
from billing.kernel.ids import new_id
from billing.ops.group import group
from billing.ops.opening import opened
from billing.ops.options import as_json, dry_run, ordered, paged
from billing.ops.telling import tell_done, tell_facts, tell_json, tell_page
from billing.ops.times import INSTANT
from billing.queries.operations.endpoints import list_endpoints, show_attempts, show_endpoint
from billing.queries.operations.finding import find_endpoint, find_seller, only_seller
from billing.queries.operations.trail import trail_of, work_about
from billing.validators.endpoint import NewEndpoint

_COLUMNS = ("endpoint", "target", "status", "waiting", "dead", "streak", "delivered_at", "off_reason", "id")


@group("endpoints")
def endpoints() -> None:
    """Where the host application hears of events: add, list, show, contact, rotate, test, replay, on, off."""


@endpoints.command("add")
@click.argument("name")
@click.argument("target")
@click.option("--topic", "topics", multiple=True, metavar="TOPIC", help="Only these, such as invoice.paid or refund.*")
@click.option("--contact", metavar="ADDRESS", help="Who is told by mail when it is switched off.")
@click.option(
    "--document-links/--no-document-links",
    default=True,
    help="Events of a document say where it is opened, which shows names and addresses. They do, unless told.",
)
@click.option("--seller", metavar="CODE|ID", help="Whose events; needed where there are several sellers.")
@ordered
@dry_run
@as_json
def add(
    *,
    name: str,
    target: str,
    topics: tuple[str, ...],
    contact: str | None,
    document_links: bool,
    seller: str | None,
    reason: str,
    by: str,
    **shown: bool,
) -> None:
    """Have events posted to TARGET, an https address, or brought to a subscriber of BILLING_SUBSCRIBERS.

    The signing secret is printed this once.
    """
    parts = opened()
    with parts.begin() as session:
        seller_id = find_seller(session, seller) if seller else only_seller(session)
    order = Order(actor=by, reason=reason, dry_run=shown["dry_run"])
    new = NewEndpoint(name, target, topics, contact, document_links=document_links)
    made = flow.add(parts, seller_id=seller_id, new=new, order=order)
    _tell_secret(made, **shown)


@endpoints.command("list")
@paged
@as_json
def list_(*, limit: int, before: UUID | None, as_json: bool) -> None:
    """List endpoints: how they do, and what waits for them."""
    with opened().begin() as session:
        page = list_endpoints(session, before=before, limit=limit)
    tell_page(page, _COLUMNS, as_json=as_json, nothing="No endpoint.")


@endpoints.command("show")
@click.argument("name")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="Most deliveries shown.")
@click.option("--event", type=click.UUID, help="Every try of this event too.")
@as_json
def show(*, name: str, limit: int, event: UUID | None, as_json: bool) -> None:
    """Show one endpoint with its newest deliveries and how their last try ended."""
    with opened().begin() as session:
        id_ = find_endpoint(session, name)
        facts = show_endpoint(session, id_, limit=limit)
        if event is not None:
            facts["attempts"] = show_attempts(session, id_, event)
        facts |= {"work_items": work_about(session, [id_]), "audit_trail": trail_of(session, [id_])}
    tell_json(facts) if as_json else tell_facts(facts)


@endpoints.command("rotate")
@click.argument("name")
@click.option(
    "--keep-hours", default=24, show_default=True, type=click.IntRange(0, 720), help="The former one signs too."
)
@ordered
@dry_run
@as_json
def rotate(*, name: str, keep_hours: int, reason: str, by: str, **shown: bool) -> None:
    """Make a new signing secret and print it this once. 0 hours end the former one now: after a leak."""
    parts, id_ = _found(name)
    order = Order(actor=by, reason=reason, dry_run=shown["dry_run"])
    _tell_secret(flow.rotate(parts, id_, keep_hours=keep_hours, order=order), **shown)


@endpoints.command("test")
@click.argument("name")
@ordered
@dry_run
@as_json
def test(*, name: str, reason: str, by: str, **shown: bool) -> None:
    """Send one event of the topic endpoint.test now, also to an endpoint that is off, and tell what came back."""
    parts, id_ = _found(name)
    order = Order(actor=by, reason=reason, dry_run=shown["dry_run"])
    _tell(flow.test(parts, id_, event_id=new_id(), order=order), **shown)


@endpoints.command("replay")
@click.argument("name")
@click.option("--from", "since", type=INSTANT, required=True, help="What happened at or after this instant.")
@click.option("--to", "until", type=INSTANT, required=True, help="And before this one.")
@ordered
@dry_run
@as_json
def replay(*, name: str, since: datetime, until: datetime, reason: str, by: str, **shown: bool) -> None:
    """Deliver again what happened in a range of business time, each event under its old id."""
    parts, id_ = _found(name)
    order = Order(actor=by, reason=reason, dry_run=shown["dry_run"])
    _tell(flow.replay(parts, id_, since=since, until=until, order=order), **shown)


@endpoints.command("contact")
@click.argument("name")
@click.argument("address", required=False)
@ordered
@dry_run
@as_json
def contact(*, name: str, address: str | None, reason: str, by: str, **shown: bool) -> None:
    """Have ADDRESS told by mail when the endpoint is switched off; without one nobody is told."""
    parts, id_ = _found(name)
    order = Order(actor=by, reason=reason, dry_run=shown["dry_run"])
    _tell(flow.contact(parts, id_, address=address, order=order), **shown)


@endpoints.command("on")
@click.argument("name")
@ordered
@dry_run
@as_json
def turn_on(*, name: str, reason: str, by: str, **shown: bool) -> None:
    """Switch an endpoint on; it gets what happened while it was off, and then goes on."""
    parts, id_ = _found(name)
    _tell(flow.turn_on(parts, id_, order=Order(actor=by, reason=reason, dry_run=shown["dry_run"])), **shown)


@endpoints.command("off")
@click.argument("name")
@ordered
@dry_run
@as_json
def turn_off(*, name: str, reason: str, by: str, **shown: bool) -> None:
    """Switch an endpoint off; what waits and what happens meanwhile is kept for it as long as the outbox is."""
    parts, id_ = _found(name)
    _tell(flow.turn_off(parts, id_, order=Order(actor=by, reason=reason, dry_run=shown["dry_run"])), **shown)


def _found(name: str) -> tuple[Parts, UUID]:
    parts = opened()
    with parts.begin() as session:
        return parts, find_endpoint(session, name)


def _tell(done: Done, *, dry_run: bool, as_json: bool, **_: Any) -> None:
    tell_done([done], dry_run=dry_run, as_json=as_json, nothing="")


def _tell_secret(made: flow.Secret, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        secret = None if dry_run else made.secret
        tell_json([{"id": made.done.subject_id, "endpoint": made.done.name, "secret": secret, "dry_run": dry_run}])
        return
    _tell(made.done, dry_run=dry_run, as_json=False)
    if not dry_run:
        click.echo(made.secret)
