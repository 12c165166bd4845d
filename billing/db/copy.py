"""Bulk inserts by COPY: the hot paths write many rows of a table in one statement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

import psycopg
from psycopg import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from billing.db.base import SCHEMA
from billing.db.session import as_owner


def driver(session: Session) -> Connection[tuple[object, ...]]:
    """The psycopg connection of the session's own transaction."""
    connection: Connection[tuple[object, ...]] | None = session.connection().connection.driver_connection
    assert connection is not None
    return connection


@contextmanager
def told_alike(connection: Connection[tuple[object, ...]]) -> Iterator[None]:
    """What the driver raises leaves as SQLAlchemy's own exception: a flow repeats or gives back by those, whatever way
    its statements took. Values are hidden.
    """
    try:
        yield
    except psycopg.Error as error:
        raise DBAPIError.instance(
            "(a statement on a hot path)",
            None,
            error,
            psycopg.Error,
            hide_parameters=True,
            connection_invalidated=connection.closed,
        ) from error


def copy_rows(
    session: Session, table: str, columns: Sequence[str], rows: Iterable[str], *, schema: str = SCHEMA
) -> None:
    """Write rows that are already in COPY's text format, one string each, fields parted by tabs, without the newline.

    Table and column names are our own constants. Nulls are `\\N`; text must come through `field`.
    """
    body = "\n".join(rows)
    if not body:
        return
    connection = driver(session)
    with (
        as_owner(session),
        told_alike(connection),
        connection.cursor() as writing,
        writing.copy(f"COPY {schema}.{table} ({', '.join(columns)}) FROM STDIN") as copy,
    ):
        copy.write(body + "\n")


def copy_values(session: Session, table: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Write rows to a temporary table of the session's connection, one in memory at a time."""
    with driver(session).cursor() as writing, writing.copy(f"COPY pg_temp.{table} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
NULL = "\\N"


def field(value: str | None) -> str:
    """Escape one text value for COPY's text format."""
    if value is None:
        return NULL
    # Most have nothing to escape, and to see that is ten times as fast: none of the three blanks is printable.
    return value if value.isprintable() and "\\" not in value else value.translate(_ESCAPES)


def id_array(values: Iterable[UUID]) -> str:
    """An array literal of ids: one parameter, which the server parses."""
    return "{" + ",".join([value.hex for value in values]) + "}"


def array(values: Iterable[object]) -> str:
    """The same of numbers, instants, booleans, words, or of ids where some are null."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def instants(values: Iterable[datetime | None]) -> str:
    """The same of many instants, of which few differ."""
    return "{" + ",".join(["NULL" if at is None else instant(at) for at in values]) + "}"


@lru_cache(maxsize=4096)
def instant(at: datetime | None) -> str:
    """A moment for COPY's text format, in UTC: moments that are equal in two zones are one here, and have one text.

    Cached: the lines, period and document of one sale name the same few.
    """
    return NULL if at is None else at.astimezone(UTC).isoformat()


def reference(id_: UUID | None) -> str:
    """An id for COPY's text format, or null."""
    return NULL if id_ is None else id_.hex


def binary(value: bytes) -> str:
    """A bytea value for COPY's text format."""
    return "\\\\x" + value.hex()
