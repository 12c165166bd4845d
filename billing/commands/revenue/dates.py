"""When the next part of a line's revenue is recognised: for one line, and in SQL for many."""

from __future__ import annotations

from datetime import date, timedelta

_ONE = timedelta(days=1)


def next_day(first: date, ends_on: date, policy: str) -> date:
    """The day up to and with which the next part counts: the first open one, or by month its month's last.

    Never beyond the line's own last day. `policy` is the seller's setting.
    """
    if policy == "day":
        return first
    return min((first.replace(day=1) + 31 * _ONE).replace(day=1) - _ONE, ends_on - _ONE)


def next_on(first: str, ends_on: str, policy: str) -> str:
    """The same in SQL: the arguments are expressions."""
    return f"CASE {policy} WHEN 'day' THEN {first} ELSE least({month_end(first)}, {ends_on} - 1) END"


def month_end(day: str) -> str:
    """The last day of a day's month, in SQL."""
    return f"(date_trunc('month', ({day})::timestamp) + interval '1 month')::date - 1"


def cut(today: str) -> str:
    """The cuts of a schedule `r`, in SQL, with one more: on this day its end is brought forward."""
    return f"r.cuts || jsonb_build_object('on', {today}, 'until', r.ends_on)"
