"""Alembic's environment: our schema, our metadata, and time-outs so that a migration never queues behind traffic for long."""

from __future__ import annotations

from typing import Any

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

import billing.models  # noqa: F401 (fills the metadata)
from billing.db.base import SCHEMA, Base

LOCK_TIMEOUT_MS = 5_000
STATEMENT_TIMEOUT_MS = 600_000

_settings: dict[str, Any] = {"target_metadata": Base.metadata, "version_table_schema": SCHEMA, "include_schemas": True}

if context.is_offline_mode():
    context.configure(dialect_name="postgresql", literal_binds=True, **_settings)
    with context.begin_transaction():
        context.run_migrations()
else:
    url = context.config.attributes["url"].replace("postgresql://", "postgresql+psycopg://", 1)
    with create_engine(url, poolclass=NullPool).connect() as connection:
        connection.execute(text(f"SET lock_timeout = {LOCK_TIMEOUT_MS}"))
        connection.execute(text(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}"))
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        connection.commit()
        context.configure(connection=connection, **_settings)
        with context.begin_transaction():
            # Two upgrades at once wait for each other instead of racing.
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('billing.migrations'))"))
            context.run_migrations()
