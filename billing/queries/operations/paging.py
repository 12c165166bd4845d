"""Pages: lists are read newest first, by key and never by offset; `before` is the last id that was seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

WINDOW = 20_000
"""Rows that a listing looks at for one page where no index knows its filter."""

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
    # Planned for these filters each time: by one plan for all of them, those that are not asked for cost a whole table.
    session.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
    rows = read_all(session, statement, {**values, "limit": limit + 1})
    more = len(rows) > limit
    return Page(rows=rows[:limit], next_before=rows[limit - 1]["id"] if more else None)


def newest(table: str) -> str:
    """In place of a table's name in a listing for `read_window`: its rows from where the page begins, in its window."""
    return f"""(SELECT * FROM billing.{table} w WHERE CAST(:before AS uuid) IS NULL OR w.id < :before
                ORDER BY w.id DESC LIMIT :window)"""  # noqa: S608 (our own names)


def those_of(table: str, column: str, value: str) -> str:
    """In place of a table's name in a listing: the rows of one owner, by the owner's index and then sorted.

    Left to itself the planner goes through the newest rows of everybody until it has a page of the owner's: in vain,
    through the whole table, where all that a large customer has is old.
    """
    return f"(SELECT * FROM billing.{table} o WHERE o.{column} = :{value} OFFSET 0)"  # noqa: S608 (our own names)


def read_window(session: Session, statement: str, values: Mapping[str, Any], *, table: str, limit: int) -> Page:
    """As `read_page`, for a filter without an index: it looks at `WINDOW` rows and says where it stopped.

    A page may be short, or empty, and have a next one all the same.
    """
    found = read_page(session, statement, {**values, "window": WINDOW}, limit=limit)
    if found.next_before is not None:
        return found
    last = f"""SELECT w.id FROM billing.{table} w WHERE CAST(:before AS uuid) IS NULL OR w.id < :before
               ORDER BY w.id DESC OFFSET :passed LIMIT 1"""  # noqa: S608 (our own names)
    stopped = read_all(session, last, {"before": values["before"], "passed": WINDOW - 1})
    return Page(rows=found.rows, next_before=stopped[0]["id"] if stopped else None)


def read_all(session: Session, statement: str, values: Mapping[str, Any]) -> list[Facts]:
    """Every row of a bounded statement."""
    return [dict(row) for row in session.execute(text(statement), values).mappings()]
