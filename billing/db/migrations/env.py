"""Alembic's environment: our schema and metadata, a transaction for each migration, and time-outs, so that none queues
behind traffic for long.
"""

from __future__ import annotations

import time
from typing import Any

from alembic import context
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

import billing.models  # noqa: F401 (fills the metadata)
from billing.db.base import SCHEMA, Base
from billing.db.migrate import require_known
from billing.db.migrations.online import LOCK_TIMEOUT_MS, STATEMENT_TIMEOUT_MS
from billing.db.session import over_psycopg

_AGAIN_AFTER_S = 0.1

_settings: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "version_table_schema": SCHEMA,
    "include_schemas": True,
    "transaction_per_migration": True,
}


def _take_turn(connection: Connection) -> None:
    """Two upgrades at once wait for each other instead of racing.

    Asked for again and again: who waits for the lock in a statement would hold up the index that the other one builds.
    """
    while not connection.scalar(text("SELECT pg_try_advisory_lock(hashtext('billing.migrations'))")):
        connection.commit()
        time.sleep(_AGAIN_AFTER_S)
    connection.commit()


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True, **_settings)
    with context.begin_transaction():
        context.run_migrations()
else:
    url = over_psycopg(context.config.attributes["url"])
    with create_engine(url, poolclass=NullPool).connect() as connection:
        _take_turn(connection)
        require_known(connection)
        connection.execute(text(f"SET lock_timeout = {LOCK_TIMEOUT_MS}"))
        connection.execute(text(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}"))
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        connection.commit()
        context.configure(connection=connection, **_settings)
        with context.begin_transaction():
            context.run_migrations()
