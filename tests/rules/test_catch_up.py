"""Catch-up: nothing is missed, nothing is billed twice, and each policy groups the missed periods as it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.kernel.period import Interval, IntervalUnit, boundary
from billing.kernel.status import PeriodDisposition
from billing.rules.catch_up import CatchUp, CatchUpPolicy, DuePeriod, Schedule, due_periods

BILLED = PeriodDisposition.BILLED
SKIPPED = PeriodDisposition.SKIPPED


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


MONTHLY = Schedule(utc("2026-01-31"), "UTC", Interval(IntervalUnit.MONTH), anchor_no=0, next_period_no=1)


def numbers(found: CatchUp) -> list[tuple[int, PeriodDisposition]]:
    return [(period.period_no, period.disposition) for period in found.periods]


def test_nothing_is_due_before_the_boundary() -> None:
    found = due_periods(MONTHLY, policy=CatchUpPolicy.BILL_EACH, now=utc("2026-02-27T23:59:59"))
    assert found == CatchUp((), (), next_period_no=1, next_due=utc("2026-02-28"), ends=False)


@pytest.mark.parametrize("policy", list(CatchUpPolicy))
def test_a_boundary_at_now_is_due_and_opens_one_period(policy: CatchUpPolicy) -> None:
    found = due_periods(MONTHLY, policy=policy, now=utc("2026-02-28"))
    (period,) = found.periods
    assert (period.period_no, period.start, period.end) == (1, utc("2026-02-28"), utc("2026-03-31"))
    assert period.disposition is BILLED
    assert found.documents == ((period,),)
    assert (found.next_period_no, found.next_due) == (2, utc("2026-03-31"))


def test_bill_each_writes_a_document_for_each_missed_period_oldest_first() -> None:
    found = due_periods(MONTHLY, policy=CatchUpPolicy.BILL_EACH, now=utc("2026-05-01"))
    assert numbers(found) == [(1, BILLED), (2, BILLED), (3, BILLED)]
    assert [len(document) for document in found.documents] == [1, 1, 1]
    assert found.next_due == utc("2026-05-31")


def test_bill_each_stops_at_the_limit_and_the_rest_stays_due() -> None:
    now = utc("2027-12-01")
    found = due_periods(MONTHLY, policy=CatchUpPolicy.BILL_EACH, now=now, max_periods=12)
    assert len(found.periods) == 12
    assert found.next_period_no == 13
    assert found.next_due == utc("2027-02-28") <= now


def test_merge_writes_one_document_with_all_missed_periods_whatever_the_limit() -> None:
    found = due_periods(MONTHLY, policy=CatchUpPolicy.MERGE, now=utc("2026-05-01"), max_periods=2)
    assert numbers(found) == [(1, BILLED), (2, BILLED), (3, BILLED)]
    assert found.documents == (found.periods,)


def test_skip_records_the_ended_periods_and_bills_only_the_running_one() -> None:
    found = due_periods(MONTHLY, policy=CatchUpPolicy.SKIP, now=utc("2026-05-01"), max_periods=2)
    assert numbers(found) == [(1, SKIPPED), (2, SKIPPED), (3, BILLED)]
    assert found.documents == ((found.periods[-1],),)


def test_skip_at_a_boundary_skips_the_period_that_ends_there() -> None:
    found = due_periods(MONTHLY, policy=CatchUpPolicy.SKIP, now=utc("2026-03-31"))
    assert numbers(found) == [(1, SKIPPED), (2, BILLED)]


def test_no_period_begins_at_or_after_a_scheduled_cancel() -> None:
    schedule = replace(MONTHLY, cancel_at=utc("2026-03-31"))
    found = due_periods(schedule, policy=CatchUpPolicy.BILL_EACH, now=utc("2026-06-15"))
    assert numbers(found) == [(1, BILLED)]
    assert found.ends
    assert found.next_due is None


def test_a_cancel_that_has_not_come_yet_is_the_next_moment() -> None:
    schedule = replace(MONTHLY, cancel_at=utc("2026-03-31"))
    found = due_periods(schedule, policy=CatchUpPolicy.BILL_EACH, now=utc("2026-03-01"))
    assert numbers(found) == [(1, BILLED)]
    assert not found.ends
    assert found.next_due == utc("2026-03-31")


def test_a_cancel_waits_while_the_limit_leaves_periods_before_it() -> None:
    schedule = replace(MONTHLY, cancel_at=utc("2026-05-31"))
    found = due_periods(schedule, policy=CatchUpPolicy.BILL_EACH, now=utc("2026-07-01"), max_periods=1)
    assert not found.ends
    assert found.next_due == utc("2026-03-31")


def test_under_skip_a_cancel_in_the_outage_bills_nothing() -> None:
    schedule = replace(MONTHLY, cancel_at=utc("2026-04-30"))
    found = due_periods(schedule, policy=CatchUpPolicy.SKIP, now=utc("2026-06-15"))
    assert numbers(found) == [(1, SKIPPED), (2, SKIPPED)]
    assert found.documents == ()
    assert found.ends


def test_a_day_that_a_zone_skipped_makes_no_period() -> None:
    schedule = Schedule(utc("2011-12-28T20:00"), "Pacific/Apia", Interval(IntervalUnit.DAY), 0, 0)
    found = due_periods(schedule, policy=CatchUpPolicy.BILL_EACH, now=utc("2012-01-02"))
    assert all(period.start < period.end for period in found.periods)
    assert [one.end for one in found.periods[:-1]] == [one.start for one in found.periods[1:]]


SCHEDULES = st.builds(
    Schedule,
    anchor=st.integers(0, 10 * 365 * 86_400).map(lambda seconds: utc("2020-01-01") + timedelta(seconds=seconds)),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
    interval=st.builds(Interval, st.sampled_from(IntervalUnit), st.integers(1, 6)),
    anchor_no=st.integers(0, 3),
    next_period_no=st.integers(0, 20),
)


@given(SCHEDULES, st.sampled_from(CatchUpPolicy), st.integers(0, 500), st.one_of(st.none(), st.integers(1, 13)))
def test_the_periods_tile_and_the_next_due_is_where_they_end(
    schedule: Schedule, policy: CatchUpPolicy, days: int, limit: int | None
) -> None:
    first = boundary(schedule.anchor, schedule.zone, schedule.interval, schedule.next_period_no)
    now = first + timedelta(days=days)
    found = due_periods(schedule, policy=policy, now=now, max_periods=limit)
    assert found.periods[0].start == first
    assert [one.end for one in found.periods[:-1]] == [one.start for one in found.periods[1:]]
    assert found.periods[-1].end == found.next_due
    assert all(one.start <= now for one in found.periods)
    billed = [one for one in found.periods if one.disposition is BILLED]
    assert [one for document in found.documents for one in document] == billed


@given(SCHEDULES, st.integers(0, 400), st.integers(1, 5), st.integers(0, 400))
def test_slices_with_a_limit_end_where_one_without_would(
    schedule: Schedule, days: int, limit: int, cancel_days: int
) -> None:
    first = boundary(schedule.anchor, schedule.zone, schedule.interval, schedule.next_period_no)
    now = first + timedelta(days=days)
    schedule = replace(schedule, cancel_at=first + timedelta(days=cancel_days))
    whole = due_periods(schedule, policy=CatchUpPolicy.BILL_EACH, now=now)
    seen: list[DuePeriod] = []
    part = due_periods(schedule, policy=CatchUpPolicy.BILL_EACH, now=now, max_periods=limit)
    while part.periods:
        seen += part.periods
        rest = replace(schedule, next_period_no=part.next_period_no)
        part = due_periods(rest, policy=CatchUpPolicy.BILL_EACH, now=now, max_periods=limit)
    assert tuple(seen) == whole.periods
    assert (part.ends, part.next_due) == (whole.ends, whole.next_due)
