"""`billing keys`: who may use the HTTP API, for which seller, and for what."""

from __future__ import annotations

from uuid import UUID

import click

from billing.flows import api_keys
from billing.flows.api_keys import KeyMade
from billing.flows.order import Order
from billing.ops.group import group
from billing.ops.opening import opened
from billing.ops.options import as_json, dry_run, ordered, paged
from billing.ops.telling import tell_done, tell_json, tell_page
from billing.queries.api_key import list_keys
from billing.queries.operations.finding import find_seller, only_seller
from billing.validators.api_key import Scope

_COLUMNS = ("prefix", "name", "seller", "scopes", "valid", "last_used_at", "expires_at", "created_at")


@group("keys")
def api_key() -> None:
    """Keys of the HTTP API: create, list, rotate, revoke."""


@api_key.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([each.value for each in Scope]),
    help="What it may do; may be repeated.  [default: read, write]",
)
@click.option("--seller", metavar="CODE|ID", help="Whom it acts for; needed where there are several sellers.")
@ordered
@dry_run
@as_json
def create(*, name: str, scopes: tuple[str, ...], seller: str | None, reason: str, by: str, **shown: bool) -> None:
    """Make a key for one seller. It is printed this once; only a hash of it is kept."""
    parts = opened()
    with parts.begin() as session:
        seller_id = find_seller(session, seller) if seller else only_seller(session)
    order = Order(actor=by, reason=reason, dry_run=shown["dry_run"])
    wanted = scopes or (Scope.READ.value, Scope.WRITE.value)
    _tell(api_keys.create(parts, seller_id=seller_id, name=name, scopes=wanted, order=order), **shown)


@api_key.command("list")
@paged
@as_json
def list_(*, limit: int, before: UUID | None, as_json: bool) -> None:
    """List keys by their prefix: what each may do, and the minute in which it was last used."""
    with opened().begin() as session:
        page = list_keys(session, before=before, limit=limit)
    tell_page(page, _COLUMNS, as_json=as_json, nothing="No key: the API is closed.")


@api_key.command("rotate")
@click.argument("prefix")
@click.option(
    "--keep-hours", default=24, show_default=True, type=click.IntRange(0, 720), help="The former one opens too."
)
@ordered
@dry_run
@as_json
def rotate(*, prefix: str, keep_hours: int, reason: str, by: str, **shown: bool) -> None:
    """Make a successor and print it this once. 0 hours end the former one now: after a leak."""
    order = Order(actor=by, reason=reason, dry_run=shown["dry_run"])
    _tell(api_keys.rotate(opened(), prefix, keep_hours=keep_hours, order=order), **shown)


@api_key.command("revoke")
@click.argument("prefix")
@ordered
@dry_run
@as_json
def revoke(*, prefix: str, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """End a key now."""
    done = api_keys.revoke(opened(), prefix, order=Order(actor=by, reason=reason, dry_run=dry_run))
    tell_done([done], dry_run=dry_run, as_json=as_json, nothing="")


def _tell(made: KeyMade, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        tell_json({"prefix": made.done.name, "key": None if dry_run else made.token, "dry_run": dry_run})
        return
    tell_done([made.done], dry_run=dry_run, as_json=False, nothing="")
    if not dry_run:
        click.echo(made.token)
