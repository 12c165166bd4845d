"""Billing periods: boundaries computed from the anchor, never from one another, so that no month end is lost.

A period is half-open: period k is [boundary(k), boundary(k + 1)). Boundaries keep the anchor's local wall time in the
customer's zone. The day is clipped to the month's length. A local time that a clock change skips moves forward by the
gap; one that occurs twice is the first. Where a zone skipped a whole calendar day, a daily period may be empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from billing.kernel.errors import Fault, Refused

_MONTH_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_UTC_NAMES = frozenset({"UTC", "Etc/UTC"})


MOST_PERIODS_BEHIND = 1000
"""So many periods that lie behind are billed one by one in a transaction, of a new subscription or of one that catches
up. So many months are 83 years, so many days nearly three."""


class IntervalUnit(StrEnum):
    """What an interval counts: calendar units at local wall time, never seconds."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


_DAYS = {IntervalUnit.DAY: 1, IntervalUnit.WEEK: 7}
_MONTHS = {IntervalUnit.MONTH: 1, IntervalUnit.YEAR: 12}


@dataclass(frozen=True, slots=True)
class Interval:
    """How long a period is: `count` units. Raises `Refused` (`interval_count_not_positive`) below 1."""

    unit: IntervalUnit
    count: int = 1

    def __post_init__(self) -> None:
        if self.count < 1:
            raise Refused(Fault("interval.count", "interval_count_not_positive", "give a whole number from 1"))

    @property
    def months(self) -> int:
        """Calendar months a period; 0 where it is counted in days."""
        return _MONTHS.get(self.unit, 0) * self.count

    @property
    def days(self) -> int:
        """Calendar days a period; 0 where it is counted in months."""
        return _DAYS.get(self.unit, 0) * self.count


@lru_cache(maxsize=1024)
def zone_info(zone: str) -> ZoneInfo:
    """The IANA zone of that name. Raises `Refused` (`unknown_timezone`)."""
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        fault = Fault("timezone", "unknown_timezone", "give an IANA name such as Europe/Berlin")
        raise Refused(fault) from error


def midnight(day: date, zone: str) -> datetime:
    """The instant (UTC) at which a date begins in a zone. Raises `Refused` (`unknown_timezone`)."""
    return datetime.combine(day, time(), zone_info(zone)).astimezone(UTC)


def boundary(anchor: datetime, zone: str, interval: Interval, k: int) -> datetime:
    """The instant (UTC) at which period `k` begins; `k` may be negative, boundary 0 is the anchor itself.

    `anchor` is aware UTC. Source: the scenario contract, rule 1. Raises `Refused` (`unknown_timezone`).
    """
    if k == 0:
        return anchor
    if zone in _UTC_NAMES:
        return _moved(anchor, interval, k)
    info = zone_info(zone)
    wall = _moved(anchor.astimezone(info).replace(tzinfo=None, fold=0), interval, k)
    # With fold 0 zoneinfo reads a skipped wall time by the offset before the gap, which is the move forward by the
    # gap, and a doubled one as the first.
    return wall.replace(tzinfo=info).astimezone(UTC)


def boundaries_between(
    anchor: datetime, zone: str, interval: Interval, *, start: datetime, end: datetime
) -> Iterator[tuple[int, datetime]]:
    """Yield (k, instant) of every boundary in [start, end), oldest first."""
    k = period_no_at(anchor, zone, interval, start)
    while (at := boundary(anchor, zone, interval, k)) < end:
        if at >= start:
            yield k, at
        k += 1


def period_no_at(anchor: datetime, zone: str, interval: Interval, instant: datetime) -> int:
    """The number of the period that holds `instant`: the highest k whose boundary is at or before it."""
    if interval.days:
        k = (instant - anchor) // timedelta(days=interval.days)
    else:
        k = ((instant.year - anchor.year) * 12 + instant.month - anchor.month) // interval.months
    # The guess counts UTC days or months; clock changes and clipped days put it at most a step or two off.
    while boundary(anchor, zone, interval, k) > instant:
        k -= 1
    while boundary(anchor, zone, interval, k + 1) <= instant:
        k += 1
    return k


def _moved(wall: datetime, interval: Interval, k: int) -> datetime:
    if interval.days:
        return wall + timedelta(days=interval.days * k)
    year, month = divmod(wall.year * 12 + wall.month - 1 + interval.months * k, 12)
    length = _MONTH_LENGTHS[month]
    if month == 1 and year % 4 == 0 and (year % 100 or year % 400 == 0):
        length = 29
    return wall.replace(year=year, month=month + 1, day=min(wall.day, length))
