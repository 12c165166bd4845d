"""A scratch database made like new: its rows removed, in milliseconds, where nothing but rows was changed.

Removed, not truncated: a truncated table has new files, which every session has to learn anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

_MOST_PAGES = 2000
"""Of 8 KB each. Removed rows stay in their files: a database with more is slower than a new one."""

_CATALOGS = {
    "pg_class": "oid",
    "pg_attribute": "attrelid",
    "pg_attrdef": "oid",
    "pg_constraint": "oid",
    "pg_index": "indexrelid",
    "pg_trigger": "oid",
    "pg_policy": "oid",
    "pg_proc": "oid",
    "pg_type": "oid",
    "pg_extension": "oid",
    "pg_statistic_ext": "oid",
    "pg_default_acl": "oid",
}
"""What a database has beside rows, each with what names it."""
_OURS = 16384
"""The first number that the server gives to what it does not bring itself."""

_OTHERS = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> ALL(%s)
"""
_MADE = " UNION ALL ".join(
    f"SELECT count(*), max(xmin::text::bigint) FROM {name} WHERE {key} >= {_OURS}"  # noqa: S608 (names of ours)
    for name, key in _CATALOGS.items()
)
_SCHEMAS = "SELECT count(*), max(xmin::text::bigint) FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'"
_SETTINGS = """
    SELECT count(*), 0 FROM pg_db_role_setting
    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_WRITTEN = """
    SELECT relname, pg_relation_size(oid) / 8192 FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'billing'::regnamespace AND pg_relation_size(oid) > 0
"""

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a database is beside the rows of who uses it: tables that bring rows, and how all that was made stands."""

    brought: Sequence[str]
    made: Sequence[Any]

    @classmethod
    def of(cls, connection: Connection) -> Shape:
        """That of a new database."""
        brought = sorted(name for name, _ in connection.execute(_WRITTEN).fetchall())
        return cls(brought, _look(connection, brought))


def cut_off(connection: Connection, *, kept: Sequence[int]) -> None:
    """End every session of this database but our own and the `kept` ones."""
    connection.execute(_OTHERS, [list(kept)])


def empty(connection: Connection, shape: Shape) -> bool:
    """Remove all rows. False where more than rows was changed, or where its files have grown too much to be like new.

    `connection` is a superuser's, in autocommit: triggers and foreign keys are left out, and stay so in its session.
    Raises what psycopg raises.
    """
    if _look(connection, shape.brought) != shape.made:
        return False
    written = connection.execute(_WRITTEN).fetchall()
    one = sql.SQL("DELETE FROM {}")
    each = [one.format(sql.Identifier("billing", name)) for name, _ in written if name not in shape.brought]
    connection.execute(sql.SQL("; ").join([sql.SQL("SET session_replication_role = replica"), *each]))
    return bool(sum(pages for _, pages in written) < _MOST_PAGES)


def _look(connection: Connection, brought: Sequence[str]) -> list[Any]:
    rows = sql.SQL("SELECT count(*), max(xmin::text::bigint) FROM {}")
    of_tables = [rows.format(sql.Identifier("billing", name)) for name in brought]
    whole = sql.SQL(" UNION ALL ").join([sql.SQL(_MADE), sql.SQL(_SCHEMAS), sql.SQL(_SETTINGS), *of_tables])
    return connection.execute(whole).fetchall()
