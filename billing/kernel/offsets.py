"""Offsets: a zone as a table, for who must reckon by our data of it and has its own: the database server.

Its zone files come with it or with its machine, ours with Python or with this one. They are seldom equally new, so one
of them may not know a zone, or not the last law on it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from billing.kernel.period import zone_info

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


class Offset(NamedTuple):
    """So far ahead of UTC is local time from an instant on, until the next row of the table."""

    since: datetime
    """Aware UTC."""
    wall: datetime
    """Naive: local times are read by it from here on. One that is skipped moves forward by the gap, one that occurs
    twice is the first, as in `period.boundary`."""
    ahead: timedelta


@lru_cache(maxsize=1024)
def offsets(zone: str, first: int, last: int) -> tuple[Offset, ...]:
    """What holds in the years from `first` to `last`, oldest first; the first row holds before, the last one after.

    Raises `Refused` (`unknown_timezone`).
    """
    info = zone_info(zone)
    at, end = datetime(max(first - 1, 1), 12, 31, tzinfo=UTC), datetime(min(last + 1, 9999), 1, 2, tzinfo=UTC)
    ahead = _ahead(at, info)
    found = [Offset(at, (at + ahead).replace(tzinfo=None), ahead)]
    # No zone changes twice within a day: what differs from one day to the next is found by halving.
    while at < end:
        at += _DAY
        before, ahead = ahead, _ahead(at, info)
        if ahead != before:
            since = _change(at - _DAY, at, info)
            found.append(Offset(since, (since + max(before, ahead)).replace(tzinfo=None), ahead))
    return tuple(found)


def _ahead(at: datetime, info: ZoneInfo) -> timedelta:
    ahead = at.astimezone(info).utcoffset()
    assert ahead is not None
    return ahead


def _change(before: datetime, after: datetime, info: ZoneInfo) -> datetime:
    """The first second of what holds at `after`."""
    old = _ahead(before, info)
    while after - before > _SECOND:
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if _ahead(middle, info) == old:
            before = middle
        else:
            after = middle
    return after
