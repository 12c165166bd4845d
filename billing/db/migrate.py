"""Migrations: bring a database to this code's revision, or say how the two differ."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from billing.db.base import SCHEMA
from billing.db.session import over_psycopg
from billing.kernel.errors import Fault, Refused


def _config(url: str | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    if url is not None:
        config.attributes["url"] = url
    return config


def upgrade(url: str) -> None:
    """Run every missing migration, under lock and statement time-outs. Idempotent.

    Raises `Refused` (`migration_unknown`).
    """
    command.upgrade(_config(url), "head")


@cache
def head() -> str:
    """The revision that this code needs."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def require_current(connection: Connection) -> None:
    """Raise `Refused` unless the database stands exactly at this code's revision (DECISIONS 38)."""
    found = require_known(connection)
    if found is None:
        raise Refused(Fault("database", "not_migrated", "run `billing db upgrade`"))
    if found != head():
        raise Refused(Fault("database", "migration_missing", f"it stands at {found}; run `billing db upgrade`"))


def require_known(connection: Connection) -> str | None:
    """Where the database stands; None: no migration has run. Raises `Refused` (`migration_unknown`)."""
    found = MigrationContext.configure(connection, opts={"version_table_schema": SCHEMA}).get_current_revision()
    if found in (None, head()):
        return found
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found not in known:
        raise Refused(Fault("database", "migration_unknown", f"it stands at {found}, newer than this code; update it"))
    return found


def check(url: str) -> None:
    """Raise `Refused` unless the database at `url` stands at this code's revision."""
    engine = create_engine(over_psycopg(url), poolclass=NullPool)
    with engine.connect() as connection:
        require_current(connection)
