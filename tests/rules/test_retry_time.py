"""The hour of a retry: in the seller's hours by the customer's clock, never earlier than due, and spread."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.kernel.period import zone_info
from billing.rules.retry_time import SPREAD, Hours, within_hours

DAY_TIME = Hours(8, 20)
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Kiritimati", "America/St_Johns"]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("due", "zone", "expected"),
    [
        ("2026-02-03T00:00", "UTC", "2026-02-03T08:00"),
        ("2026-02-03T00:00", "Europe/Berlin", "2026-02-03T07:00"),
        ("2026-02-03T00:00", "America/New_York", "2026-02-03T00:00"),  # 19:00 there
        ("2026-02-03T02:00", "America/New_York", "2026-02-03T13:00"),  # 21:00 there: next morning
        ("2026-02-03T19:00", "Europe/Berlin", "2026-02-04T07:00"),  # 20:00 is over the end
        ("2026-02-03T12:30", "Europe/Berlin", "2026-02-03T12:30"),
    ],
)
def test_a_retry_outside_the_hours_waits_for_the_next_opening(due: str, zone: str, expected: str) -> None:
    assert within_hours(at(due), hours=DAY_TIME, zone=zone, seed=0) == at(expected)


@pytest.mark.parametrize(
    ("due", "zone", "hours", "expected"),
    [
        # On 29 March 2026 the clocks of Berlin go from 02:00 to 03:00: 02:00 there is 03:00.
        ("2026-03-28T23:30", "Europe/Berlin", Hours(2, 4), "2026-03-29T01:00"),
        # On 25 October 02:00 to 03:00 comes twice: the first.
        ("2026-10-24T22:30", "Europe/Berlin", Hours(2, 4), "2026-10-25T00:00"),
    ],
)
def test_a_change_of_the_clocks_moves_it_as_it_moves_periods(due: str, zone: str, hours: Hours, expected: str) -> None:
    assert within_hours(at(due), hours=hours, zone=zone, seed=0) == at(expected)


def test_without_hours_the_delay_is_exact() -> None:
    assert within_hours(at("2026-02-03T00:00"), hours=None, zone="Europe/Berlin", seed=7) == at("2026-02-03T00:00")


def test_retries_of_one_instant_are_spread_over_an_hour_and_each_has_its_own_moment() -> None:
    moments = [within_hours(at("2026-02-03T00:00"), hours=DAY_TIME, zone="UTC", seed=n) for n in range(3600)]
    assert len(set(moments)) == 3600
    assert (min(moments), max(moments)) == (at("2026-02-03T08:00"), at("2026-02-03T08:59:59"))
    assert moments[5] == within_hours(at("2026-02-03T00:00"), hours=DAY_TIME, zone="UTC", seed=5)


@given(
    due=st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
    zone=st.sampled_from(ZONES),
    hours=st.tuples(st.integers(0, 23), st.integers(1, 24)).filter(lambda pair: pair[0] < pair[1]),
    seed=st.integers(0, 2**128),
)
def test_it_is_never_early_never_a_day_and_an_hour_late_and_always_in_the_hours(
    due: datetime, zone: str, hours: tuple[int, int], seed: int
) -> None:
    moment = within_hours(due, hours=Hours(*hours), zone=zone, seed=seed)
    assert due <= moment <= due + timedelta(days=1, hours=1) + SPREAD
    wall = moment.astimezone(zone_info(zone))
    # A skipped hour may push it past a short window, by the gap.
    assert hours[0] <= wall.hour < hours[1] or wall.utcoffset() != due.astimezone(zone_info(zone)).utcoffset()


def test_in_the_hour_that_comes_twice_nothing_is_tried_before_it_is_due() -> None:
    # 25 October 2026: it is half past two in Berlin for the second time; the first was an hour before.
    due = at("2026-10-25T01:30")
    assert within_hours(due, hours=Hours(0, 24), zone="Europe/Berlin", seed=0) == due
