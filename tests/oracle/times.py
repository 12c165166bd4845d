"""Moments, local calendars and shares of a period, as rule 1 and rule 5 read them."""

import datetime as dt
from calendar import monthrange
from fractions import Fraction
from zoneinfo import ZoneInfo

Moment = dt.datetime


def moment(*, value: object) -> Moment:
    """The UTC moment of what YAML made of a time: a date, a datetime or a string."""
    if isinstance(value, str):
        text = value.strip()
        bare = len(text) == len("2026-01-31")
        value = dt.date.fromisoformat(text) if bare else dt.datetime.fromisoformat(text)
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    raise TypeError(f"not a time: {value!r}")


def text(*, at: Moment | None) -> str | None:
    """The moment as the output writes it."""
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def delay(*, value: str) -> dt.timedelta:
    """`3d` or `12h`, in exact hours."""
    hours = {"d": 24, "h": 1}[value[-1]]
    return dt.timedelta(hours=int(value[:-1]) * hours)


def at_wall(*, wall: Moment, zone: ZoneInfo) -> Moment:
    """The moment of a naive local time: a skipped one moves forward by the gap, of two the first."""
    return wall.replace(tzinfo=zone, fold=0).astimezone(dt.UTC)


def _moved(*, wall: Moment, interval: str, number: int) -> Moment:
    if interval in {"day", "week"}:
        return wall + dt.timedelta(days=number * (7 if interval == "week" else 1))
    months = wall.year * 12 + wall.month - 1 + number * (12 if interval == "year" else 1)
    year, month = divmod(months, 12)
    return wall.replace(year=year, month=month + 1, day=min(wall.day, monthrange(year, month + 1)[1]))


def boundary(*, anchor: Moment, k: int, interval: str, count: int, zone: ZoneInfo) -> Moment:
    """boundary(k), always counted from the anchor."""
    if k == 0:
        return anchor
    wall = anchor.astimezone(zone).replace(tzinfo=None, fold=0)
    return at_wall(wall=_moved(wall=wall, interval=interval, number=k * count), zone=zone)


def after_days(*, at: Moment, days: int, zone: ZoneInfo) -> Moment:
    """So many calendar days later at the same local wall time."""
    return boundary(anchor=at, k=days, interval="day", count=1, zone=zone)


def share(*, t: Moment, b: Moment, e: Moment, zone: ZoneInfo, by_day: bool) -> Fraction:
    """(e − t) ÷ (e − b), in exact seconds or in local dates."""
    if by_day:
        last = e.astimezone(zone).date()
        part, whole = ((last - x.astimezone(zone).date()).days for x in (t, b))
        return Fraction(part, whole) if whole else Fraction(0)
    micro = dt.timedelta(microseconds=1)
    return Fraction((e - t) // micro, (e - b) // micro) if e > b else Fraction(0)
