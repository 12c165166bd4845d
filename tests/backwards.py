"""Rows that no order was asked for come in the opposite one in tests, as from the database they may any day.

In a small table they come as they were written, nearly always: what relies on that passes, and fails once in a month.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

_ASKS = re.compile(r"\s*(SELECT|WITH|UPDATE|DELETE)\b", re.IGNORECASE)
_ORDERED = re.compile(r"\bORDER\s+BY\b", re.IGNORECASE)


@contextmanager
def backwards() -> Iterator[None]:
    """During the block, for every connection of this process."""
    fetchall = psycopg.Cursor.fetchall

    def turned(cursor: Any) -> list[Any]:
        rows, asked = fetchall(cursor), cursor._last_query
        if len(rows) > 1 and isinstance(asked, str) and _ASKS.match(asked) and not _ORDERED.search(asked):
            rows.reverse()
        return rows

    psycopg.Cursor.fetchall = turned  # type: ignore[method-assign]
    try:
        yield
    finally:
        psycopg.Cursor.fetchall = fetchall  # type: ignore[method-assign]
