"""Reads on hot paths: rows as named tuples over psycopg's binary protocol, a third of the ORM's cost a row."""

from __future__ import annotations

from typing import Any

from psycopg.rows import namedtuple_row
from sqlalchemy.orm import Session

from billing.db.copy import driver


def fetch(session: Session, statement: str, **values: object) -> list[Any]:
    """All rows of a statement of our own, in the session's transaction; `%(name)s` stands for `values`."""
    with driver(session).cursor(binary=True, row_factory=namedtuple_row) as reading:
        return reading.execute(statement, values).fetchall()
