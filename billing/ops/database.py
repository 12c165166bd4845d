"""`billing db`: migrations."""

from __future__ import annotations

import click

from billing.db import migrate
from billing.kernel.errors import Fault, Refused
from billing.ops.failures import FINDING, Failed
from billing.settings import load


@click.group("db")
def database() -> None:
    """Bring the database to this code's revision, or compare the two."""


@database.command("upgrade")
def upgrade() -> None:
    """Run every missing migration, under time-outs for locks and statements. Safe to repeat, also by two at once."""
    migrate.upgrade(_url())
    click.echo(f"The database is at revision {migrate.head()}.")


@database.command("check")
def check() -> None:
    """Say whether the database stands at this code's revision. Ends with status 1 where it does not."""
    url = _url()
    try:
        migrate.check(url)
    except Refused as refused:
        raise Failed([str(fault) for fault in refused.faults], FINDING) from refused
    click.echo(f"The database is at revision {migrate.head()}, as this code needs it.")


def _url() -> str:
    url = load().database_url
    if not url:
        raise Refused(
            Fault("DATABASE_URL", "database_missing", "set it, or start the embedded stack with `billing up`")
        )
    return url
