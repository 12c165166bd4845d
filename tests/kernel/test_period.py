"""Periods: month ends are never lost, clock changes move one boundary and no other, and full periods tile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.relativedelta import relativedelta  # type: ignore[import-untyped]  # the oracle, in tests only
from hypothesis import assume, given
from hypothesis import strategies as st

from billing.kernel.errors import Refused
from billing.kernel.period import Interval, IntervalUnit, boundaries_between, boundary, period_no_at

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]
ANCHORS = st.datetimes(datetime(1971, 1, 1), datetime(2090, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
INTERVALS = st.builds(Interval, st.sampled_from(IntervalUnit), st.integers(1, 24))
STEPS = st.integers(-40, 40)
MONTHLY = Interval(IntervalUnit.MONTH)
DAILY = Interval(IntervalUnit.DAY)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("anchor", "unit", "count", "following"),
    [
        ("2026-01-31", "month", 1, ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30"]),
        ("2026-01-30", "month", 1, ["2026-02-28", "2026-03-30", "2026-04-30"]),
        ("2024-02-29", "month", 1, ["2024-03-29", "2024-04-29"]),
        ("2024-01-31", "month", 1, ["2024-02-29", "2024-03-31"]),
        ("2024-02-29", "year", 1, ["2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"]),
        ("2026-01-31", "month", 3, ["2026-04-30", "2026-07-31", "2026-10-31", "2027-01-31"]),
        ("2025-08-31", "month", 6, ["2026-02-28", "2026-08-31", "2027-02-28"]),
        ("2026-12-30", "week", 2, ["2027-01-13", "2027-01-27"]),
        ("2100-01-31", "month", 1, ["2100-02-28", "2100-03-31"]),
        ("2000-01-31", "month", 1, ["2000-02-29"]),
    ],
)
def test_boundaries_follow_the_anchor(anchor: str, unit: str, count: int, following: list[str]) -> None:
    interval = Interval(IntervalUnit(unit), count)
    found = [boundary(utc(anchor), "UTC", interval, k) for k in range(1, len(following) + 1)]
    assert found == [utc(text) for text in following]


def test_a_boundary_before_the_anchor_is_found_for_a_stub() -> None:
    assert boundary(utc("2026-03-31"), "UTC", MONTHLY, -1) == utc("2026-02-28")
    assert boundary(utc("2026-01-15"), "UTC", MONTHLY, -1) == utc("2025-12-15")


def test_a_wall_time_that_the_clocks_skip_moves_forward_by_the_gap_and_comes_back() -> None:
    anchor = utc("2026-03-27T01:30")
    found = [boundary(anchor, "Europe/Berlin", DAILY, k) for k in range(5)]
    assert found == [
        utc("2026-03-27T01:30"),
        utc("2026-03-28T01:30"),
        utc("2026-03-29T01:30"),
        utc("2026-03-30T00:30"),
        utc("2026-03-31T00:30"),
    ]


def test_a_wall_time_that_occurs_twice_is_the_first() -> None:
    anchor = utc("2026-10-24T00:30")
    assert boundary(anchor, "Europe/Berlin", DAILY, 1) == utc("2026-10-25T00:30")
    assert boundary(anchor, "Europe/Berlin", DAILY, 2) == utc("2026-10-26T01:30")


def test_an_anchor_in_the_second_of_two_equal_hours_stays_where_it_is() -> None:
    anchor = utc("2026-10-25T01:30")
    assert boundary(anchor, "Europe/Berlin", DAILY, 0) == anchor
    assert boundary(anchor, "Europe/Berlin", DAILY, 1) == utc("2026-10-26T01:30")


def test_calendar_days_keep_the_local_wall_time_over_a_clock_change() -> None:
    assert boundary(utc("2026-03-20T11:00"), "Europe/Berlin", DAILY, 14) == utc("2026-04-03T10:00")


def test_the_day_is_clipped_in_the_customers_zone_and_not_in_utc() -> None:
    anchor = datetime(2026, 1, 31, 0, 0, tzinfo=ZoneInfo("Asia/Tokyo")).astimezone(UTC)
    expected = datetime(2026, 2, 28, 0, 0, tzinfo=ZoneInfo("Asia/Tokyo")).astimezone(UTC)
    assert boundary(anchor, "Asia/Tokyo", MONTHLY, 1) == expected


def test_a_day_that_a_zone_skipped_leaves_an_empty_period_and_no_hole() -> None:
    anchor = datetime(2011, 12, 28, 10, tzinfo=ZoneInfo("Pacific/Apia")).astimezone(UTC)
    found = [boundary(anchor, "Pacific/Apia", DAILY, k) for k in range(5)]
    assert found[2] == found[3]
    assert period_no_at(anchor, "Pacific/Apia", DAILY, found[2]) == 3
    assert found == sorted(found)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "Europe"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(Refused) as caught:
        boundary(utc("2026-01-01"), zone, MONTHLY, 1)
    assert caught.value.code == "unknown_timezone"


@pytest.mark.parametrize("count", [0, -1])
def test_an_interval_counts_from_one(count: int) -> None:
    with pytest.raises(Refused) as caught:
        Interval(IntervalUnit.MONTH, count)
    assert caught.value.code == "interval_count_not_positive"


@given(ANCHORS, INTERVALS, STEPS)
def test_in_utc_the_boundaries_are_those_of_relativedelta(anchor: datetime, interval: Interval, k: int) -> None:
    step = relativedelta(months=interval.months * k, days=interval.days * k)
    assert boundary(anchor, "UTC", interval, k) == anchor + step


@given(ANCHORS, st.sampled_from(ZONES), INTERVALS, STEPS)
def test_in_a_zone_the_wall_time_is_relativedeltas_wherever_it_exists(
    anchor: datetime, zone: str, interval: Interval, k: int
) -> None:
    info = ZoneInfo(zone)
    local = anchor.astimezone(info).replace(tzinfo=None, fold=0)
    wall = local + relativedelta(months=interval.months * k, days=interval.days * k)
    exists = wall.replace(tzinfo=info).astimezone(UTC).astimezone(info).replace(tzinfo=None, fold=0) == wall
    assume(k != 0 and exists)
    assert boundary(anchor, zone, interval, k).astimezone(info).replace(tzinfo=None, fold=0) == wall


@given(ANCHORS, st.sampled_from(ZONES), INTERVALS, STEPS)
def test_boundaries_never_run_backwards(anchor: datetime, zone: str, interval: Interval, k: int) -> None:
    here = boundary(anchor, zone, interval, k)
    following = boundary(anchor, zone, interval, k + 1)
    assert here <= following
    assert here.tzinfo is UTC


@given(ANCHORS, st.sampled_from(ZONES), INTERVALS, st.integers(-400_000_000, 400_000_000))
def test_every_instant_lies_in_exactly_the_period_that_is_named(
    anchor: datetime, zone: str, interval: Interval, seconds: int
) -> None:
    instant = anchor + timedelta(seconds=seconds)
    k = period_no_at(anchor, zone, interval, instant)
    assert boundary(anchor, zone, interval, k) <= instant < boundary(anchor, zone, interval, k + 1)


@given(ANCHORS, st.sampled_from(ZONES), INTERVALS, STEPS)
def test_a_boundary_belongs_to_the_period_that_it_opens(
    anchor: datetime, zone: str, interval: Interval, k: int
) -> None:
    at = boundary(anchor, zone, interval, k)
    assume(at < boundary(anchor, zone, interval, k + 1))
    assert period_no_at(anchor, zone, interval, at) == k


def test_boundaries_between_two_instants_include_the_first_and_not_the_last() -> None:
    found = list(boundaries_between(utc("2026-01-31"), "UTC", MONTHLY, start=utc("2026-02-28"), end=utc("2026-04-30")))
    assert found == [(1, utc("2026-02-28")), (2, utc("2026-03-31"))]


def test_no_boundaries_lie_in_an_empty_stretch() -> None:
    at = utc("2026-02-28")
    assert list(boundaries_between(utc("2026-01-31"), "UTC", MONTHLY, start=at, end=at)) == []
