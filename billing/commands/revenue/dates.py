"""When the next part of a line's revenue is recognised: SQL that more than one statement needs."""

from __future__ import annotations


def next_on(first: str, ends_on: str, policy: str) -> str:
    """The day up to and with which the next part counts: the first open one, or by month its month's last.

    Never beyond the line's own last day. The arguments are expressions of SQL: dates, and the seller's setting.
    """
    return f"CASE {policy} WHEN 'day' THEN {first} ELSE least({month_end(first)}, {ends_on} - 1) END"


def month_end(day: str) -> str:
    """The last day of a day's month."""
    return f"(date_trunc('month', ({day})::timestamp) + interval '1 month')::date - 1"


def midnight(day: str, zone: str) -> str:
    """The instant at which a day begins in a zone."""
    return f"(({day})::timestamp AT TIME ZONE {zone})"
