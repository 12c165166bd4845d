"""Tables for people: which columns say something, and what is a table of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every column that says something; a currency that stands beside an amount is told with it."""
    amounts = any(name.endswith("_minor") for name in rows[0])
    return [
        name
        for name in rows[0]
        if any(row[name] not in (None, [], {}) for row in rows) and not (amounts and name == "currency")
    ]


def is_rows(given: Any) -> bool:
    """Whether it is a table of its own."""
    return isinstance(given, list) and bool(given) and isinstance(given[0], dict)
