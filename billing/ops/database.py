"""`billing db`: migrations."""

from __future__ import annotations

import click

from billing.db import migrate
from billing.flows.order import Order
from billing.flows.rekeying import data_keys, rewrap, told_of_keys
from billing.kernel.errors import Fault, Refused
from billing.ops.failures import FINDING, Failed
from billing.ops.group import group
from billing.ops.opening import opened
from billing.ops.options import as_json, dry_run, ordered
from billing.ops.telling import tell_json
from billing.settings import load
from billing.wiring import SET_OR_START


@group("db")
def database() -> None:
    """Bring the database to this code's revision, compare the two, or wrap its keys anew."""


@database.command("upgrade")
@as_json
def upgrade(*, as_json: bool) -> None:
    """Run every missing migration, under time-outs for locks and statements. Safe to repeat, also by two at once."""
    migrate.upgrade(_url())
    if as_json:
        tell_json({"revision": migrate.head()})
        return
    click.echo(f"The database is at revision {migrate.head()}.")


@database.command("check")
@as_json
def check(*, as_json: bool) -> None:
    """Say whether the database stands at this code's revision. Ends with status 1 where it does not."""
    url, faults = _url(), []
    try:
        migrate.check(url)
    except Refused as refused:
        faults = [str(fault) for fault in refused.faults]
    if as_json:
        tell_json({"needed": migrate.head(), "faults": faults})
    if faults:
        raise Failed(faults, FINDING)
    if not as_json:
        click.echo(f"The database is at revision {migrate.head()}, as this code needs it.")


@database.command("rewrap")
@ordered
@dry_run
@as_json
def rewrap_keys(*, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """Wrap all data keys under the newest key of BILLING_SECRET_KEY; then the older ones may be removed from it.

    Tells how many each master key wraps, by its id, of all that there are.
    """
    parts = opened()
    wrapped = rewrap(parts, order=Order(actor=by, reason=reason, dry_run=dry_run))
    under = data_keys(parts)
    if as_json:
        tell_json({"wrapped": wrapped, "dry_run": dry_run, "data_keys": under})
        return
    click.echo(f"{wrapped} data keys {'would be' if dry_run else 'are'} wrapped anew: {told_of_keys(under)}.")


def _url() -> str:
    url = load().database_url
    if not url:
        raise Refused(Fault("DATABASE_URL", "database_missing", SET_OR_START))
    return url
