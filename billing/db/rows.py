"""Hot paths: rows as named tuples over psycopg's binary protocol, a third of the ORM's cost a row; sets by arrays."""

from __future__ import annotations

from typing import Any

from psycopg.rows import namedtuple_row
from sqlalchemy.orm import Session

from billing.db.copy import driver, told_alike


def fetch(session: Session, statement: str, **values: object) -> list[Any]:
    """All rows of a statement of our own, in the session's transaction; `%(name)s` stands for `values`."""
    connection = driver(session)
    with told_alike(connection), connection.cursor(binary=True, row_factory=namedtuple_row) as reading:
        return reading.execute(statement, values).fetchall()


def change(session: Session, statement: str, **values: object) -> int:
    """Carry out a statement that gives no rows back. Returns how many it wrote.

    Rows that the session has loaded are not brought up to date.
    """
    connection = driver(session)
    with told_alike(connection), connection.cursor() as writing:
        return writing.execute(statement, values).rowcount
