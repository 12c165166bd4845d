"""Pages: lists are read newest first, by key and never by offset; `before` is the last id that was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

Facts = dict[str, Any]
"""One row as it is shown: names of columns, plain values. Nothing personal."""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, newest first, and where the next page begins."""

    rows: list[Facts]
    next_before: UUID | None
    """The id to go on from; null on the last page."""


def read_page(session: Session, statement: str, values: Mapping[str, Any], *, limit: int) -> Page:
    """Run a listing that ends in `LIMIT :limit` and shows an `id`. One row more is asked for: is there a next page?"""
    rows = read_all(session, statement, {**values, "limit": limit + 1})
    more = len(rows) > limit
    return Page(rows=rows[:limit], next_before=rows[limit - 1]["id"] if more else None)


def read_all(session: Session, statement: str, values: Mapping[str, Any]) -> list[Facts]:
    """Every row of a bounded statement."""
    return [dict(row) for row in session.execute(text(statement), values).mappings()]
