"""Hot paths: rows as named tuples over psycopg's binary protocol, a third of the ORM's cost a row; sets by arrays."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from psycopg.rows import namedtuple_row, tuple_row
from sqlalchemy import URL, text
from sqlalchemy.orm import Session

from billing.db.copy import driver, told_alike

_PSYCOPG = URL.create("postgresql+psycopg").get_dialect()()


def fetch(session: Session, statement: str, **values: object) -> list[Any]:
    """All rows of a statement of our own, in the session's transaction; `%(name)s` stands for `values`."""
    connection = driver(session)
    with told_alike(connection), connection.cursor(binary=True, row_factory=namedtuple_row) as reading:
        return reading.execute(statement, values).fetchall()


def stream(
    session: Session, statement: str, values: dict[str, object], *, page: int | None, named: bool = False
) -> Iterator[Any]:
    """Rows as the server finds them, `page` of them in memory. Nothing else can be asked until the last was taken.

    `:name` stands for `values`. One trip to the server, where a cursor declared there takes three. Without a page all
    rows come at once, of a statement that the session prepares where it is asked often.
    """
    connection = driver(session)
    with told_alike(connection), connection.cursor(row_factory=namedtuple_row if named else tuple_row) as reading:
        if page is None:
            yield from reading.execute(_spelled(statement), values).fetchall()
        else:
            yield from reading.stream(_spelled(statement), values, size=page)


@lru_cache(maxsize=1024)
def _spelled(statement: str) -> str:
    return str(text(statement).compile(dialect=_PSYCOPG))


def change(session: Session, statement: str, **values: object) -> int:
    """Carry out a statement that gives no rows back. Returns how many it wrote.

    Rows that the session has loaded are not brought up to date.
    """
    connection = driver(session)
    with told_alike(connection), connection.cursor() as writing:
        return writing.execute(statement, values).rowcount


def carry_out(session: Session, *statements: str) -> None:
    """Carry out statements of our own, without values, in one trip to the server."""
    connection = driver(session)
    with told_alike(connection), connection.cursor() as writing:
        # Several at once can't be prepared.
        writing.execute("; ".join(statements), prepare=False)
