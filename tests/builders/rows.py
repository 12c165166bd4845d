"""Writing one row."""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy.orm import Session

from billing.db.base import Base

Row = TypeVar("Row", bound=Base)


def add(session: Session, row: Row) -> Row:
    """Write one row now: there are no relationships from which the order of writing could follow."""
    session.add(row)
    session.flush()
    return row
