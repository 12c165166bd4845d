"""Changes of tables that hold rows and are in use: nobody who reads or writes waits for long (decision 0021).

Each of these commits on its own and may be done again. So they stand first in a migration: what breaks off is repeated
from its beginning, and what follows them commits together with the revision.
"""

from __future__ import annotations

from alembic import op

from billing.db.base import SCHEMA

LOCK_TIMEOUT_MS = 5_000
"""So long a change waits for a table, and what comes after it waits behind it."""
STATEMENT_TIMEOUT_MS = 600_000
"""So long a statement may take, unless it holds nobody up."""


def alone(statement: str) -> None:
    """A statement that may be done again. What it locks, it holds for a moment, and nothing beside it."""
    with op.get_context().autocommit_block():
        op.execute(statement)


def add_column(table: str, column: str) -> None:
    """`column` is its name, its type and a constant default, if any: no row is rewritten."""
    with op.get_context().autocommit_block():
        op.execute(f"ALTER TABLE {SCHEMA}.{table} ADD COLUMN IF NOT EXISTS {column}")


def build_index(name: str, on: str) -> None:
    """`on` is the table and all that follows it. Waits for transactions that began before, as long as they last.

    What an index of that name is there already is removed first: a build that broke off leaves one that is not valid.
    """
    with op.get_context().autocommit_block():
        _as_long_as_it_takes()
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {SCHEMA}.{name}")
        op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {SCHEMA}.{on}")
        _hurried()


def replace_index(name: str, on: str) -> None:
    """The same for one that is in use: its successor is there before it goes."""
    successor = f"{name}_new"
    build_index(successor, on)
    with op.get_context().autocommit_block():
        _as_long_as_it_takes()
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {SCHEMA}.{name}")
        _hurried()
        op.execute(f"ALTER INDEX {SCHEMA}.{successor} RENAME TO {name}")


def add_check(table: str, name: str, condition: str) -> None:
    """A check, in place of one of that name, if any. Rows that are there are read without holding anybody up."""
    with op.get_context().autocommit_block():
        op.execute(
            f"ALTER TABLE {SCHEMA}.{table} DROP CONSTRAINT IF EXISTS {name}, "
            f"ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID"
        )
        op.execute(f"ALTER TABLE {SCHEMA}.{table} VALIDATE CONSTRAINT {name}")


def add_foreign_key(table: str, name: str, column: str, other: str) -> None:
    """A foreign key of a column to `other`, a table and its column, in place of one of that name, if any."""
    with op.get_context().autocommit_block():
        op.execute(
            f"ALTER TABLE {SCHEMA}.{table} DROP CONSTRAINT IF EXISTS {name}, "
            f"ADD CONSTRAINT {name} FOREIGN KEY ({column}) REFERENCES {SCHEMA}.{other} NOT VALID"
        )
        op.execute(f"ALTER TABLE {SCHEMA}.{table} VALIDATE CONSTRAINT {name}")


def _as_long_as_it_takes() -> None:
    op.execute("SET lock_timeout = 0")
    op.execute("SET statement_timeout = 0")


def _hurried() -> None:
    op.execute(f"SET lock_timeout = {LOCK_TIMEOUT_MS}")
    op.execute(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}")
