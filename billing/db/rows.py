"""Hot paths: rows as named tuples over psycopg's binary protocol, a third of the ORM's cost a row; sets by arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg.rows import namedtuple_row, tuple_row
from sqlalchemy import TextClause
from sqlalchemy.orm import Session

from billing.db.copy import driver, told_alike


def fetch(session: Session, statement: str, **values: object) -> list[Any]:
    """All rows of a statement of our own, in the session's transaction; `%(name)s` stands for `values`."""
    connection = driver(session)
    with told_alike(connection), connection.cursor(binary=True, row_factory=namedtuple_row) as reading:
        return reading.execute(statement, values).fetchall()


def stream(
    session: Session, statement: TextClause, values: dict[str, object], *, page: int, named: bool = False
) -> Iterator[Any]:
    """Rows as the server finds them, `page` of them in memory. Nothing else can be asked until the last was taken.

    One trip to the server, where a cursor declared there takes three.
    """
    connection = driver(session)
    compiled = statement.compile(dialect=session.get_bind().dialect)
    with told_alike(connection), connection.cursor(row_factory=namedtuple_row if named else tuple_row) as reading:
        yield from reading.stream(str(compiled), compiled.construct_params(values), size=page)


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
