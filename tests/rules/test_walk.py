"""Walk: no boundary is missed, none comes twice, and each policy groups the missed ones as it says."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from billing.kernel.period import Interval, IntervalUnit, boundary
from billing.rules.walk import STUB, CatchUpPolicy, Schedule, Turn, Walk
from tests.rules.walks import (
    BILLED,
    DAY,
    MERGE,
    MONTH,
    MONTHLY,
    SKIP,
    SKIPPED,
    STARTING,
    TRIAL,
    YEAR,
    numbers,
    onward,
    span,
    utc,
    walked,
)

# --- one boundary ----------------------------------------------------------------------------------------------------


def test_nothing_is_due_before_the_boundary() -> None:
    assert walked(MONTHLY, "2026-02-27T23:59:59") == Walk(
        turns=(),
        documents=(),
        anchor=utc("2026-01-31"),
        anchor_no=0,
        interval=MONTH,
        next_period_no=1,
        next_due=utc("2026-02-28"),
        ends=False,
    )


@pytest.mark.parametrize("policy", list(CatchUpPolicy))
def test_a_boundary_at_now_has_come_closes_one_period_and_opens_the_next(policy: CatchUpPolicy) -> None:
    found = walked(MONTHLY, "2026-02-28", policy=policy)
    turn = Turn(
        at=utc("2026-02-28"),
        anchor_no=0,
        period_no=1,
        opens=span("2026-02-28", "2026-03-31"),
        closes=span("2026-01-31", "2026-02-28"),
        disposition=BILLED,
    )
    assert found.turns == (turn,)
    assert found.documents == ((turn,),)
    assert (found.next_period_no, found.next_due, found.ends) == (2, utc("2026-03-31"), False)


@pytest.mark.parametrize(
    ("anchor", "zone", "interval", "following"),
    [
        ("2026-01-31", "UTC", MONTH, ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30"]),
        ("2026-01-30", "UTC", MONTH, ["2026-02-28", "2026-03-30", "2026-04-30"]),
        ("2024-02-29", "UTC", MONTH, ["2024-03-29", "2024-04-29"]),
        ("2024-02-29", "UTC", YEAR, ["2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"]),
        (
            "2026-01-31",
            "UTC",
            Interval(IntervalUnit.MONTH, 3),
            ["2026-04-30", "2026-07-31", "2026-10-31", "2027-01-31"],
        ),
        ("2025-08-31", "UTC", Interval(IntervalUnit.MONTH, 6), ["2026-02-28", "2026-08-31", "2027-02-28"]),
        ("2026-02-28T23:00", "Europe/Berlin", MONTH, ["2026-03-31T22:00", "2026-04-30T22:00"]),
        # 02:30 in Berlin: skipped on 29 March (an hour later), twice on 25 October (the first).
        ("2026-03-28T01:30", "Europe/Berlin", DAY, ["2026-03-29T01:30", "2026-03-30T00:30"]),
        ("2026-10-24T00:30", "Europe/Berlin", DAY, ["2026-10-25T00:30", "2026-10-26T01:30"]),
    ],
)
def test_boundaries_come_where_the_anchor_says(
    anchor: str, zone: str, interval: Interval, following: list[str]
) -> None:
    start = utc(anchor)
    schedule = Schedule(anchor=start, zone=zone, interval=interval, anchor_no=0, next_period_no=0, started_at=start)
    at_once = walked(schedule, following[-1])
    assert [turn.at for turn in at_once.turns] == [start, *map(utc, following)]
    seen = []
    for now in [anchor, *following]:
        (turn,) = (found := walked(schedule, now)).turns
        seen.append(turn)
        schedule = onward(schedule, found)
    assert tuple(seen) == at_once.turns


# --- catch-up --------------------------------------------------------------------------------------------------------


def test_bill_each_writes_a_document_for_each_missed_boundary_oldest_first() -> None:
    found = walked(MONTHLY, "2026-05-01")
    assert numbers(found) == [(1, BILLED), (2, BILLED), (3, BILLED)]
    assert found.documents == tuple((turn,) for turn in found.turns)
    assert found.next_due == utc("2026-05-31")


def test_bill_each_stops_at_the_limit_and_the_rest_stays_due() -> None:
    now = utc("2027-12-01")
    found = walked(MONTHLY, now, most=12)
    assert len(found.turns) == 12
    assert found.next_period_no == 13
    assert found.next_due == utc("2027-02-28") <= now
    assert not found.ends


def test_merge_writes_one_document_with_all_missed_boundaries_whatever_the_limit() -> None:
    found = walked(MONTHLY, "2026-05-01", policy=MERGE, most=2)
    assert numbers(found) == [(1, BILLED), (2, BILLED), (3, BILLED)]
    assert found.documents == (found.turns,)


def test_skip_records_the_ended_periods_and_bills_the_running_one_with_the_usage_of_all() -> None:
    found = walked(MONTHLY, "2026-05-01", policy=SKIP, most=2)
    assert numbers(found) == [(1, SKIPPED), (2, SKIPPED), (3, BILLED)]
    assert found.documents == (found.turns,)
    assert [turn.closes for turn in found.turns] == [
        span("2026-01-31", "2026-02-28"),
        span("2026-02-28", "2026-03-31"),
        span("2026-03-31", "2026-04-30"),
    ]


def test_skip_at_a_boundary_skips_the_period_that_ends_there() -> None:
    assert numbers(walked(MONTHLY, "2026-03-31", policy=SKIP)) == [(1, SKIPPED), (2, BILLED)]
    assert numbers(walked(MONTHLY, "2026-03-30T23:59:59", policy=SKIP)) == [(1, BILLED)]


def test_a_day_that_a_zone_skipped_makes_no_period_and_no_hole() -> None:
    start = utc("2011-12-28T20:00")
    schedule = Schedule(
        anchor=start, zone="Pacific/Apia", interval=DAY, anchor_no=0, next_period_no=0, started_at=start
    )
    found = walked(schedule, "2012-01-02")
    # 30 December did not take place in Samoa: its period, number 2, holds no time.
    assert [turn.period_no for turn in found.turns] == [0, 1, 3, 4, 5]
    assert all(before.opens == after.closes for before, after in pairwise(found.turns))
    assert all(turn.opens is not None and turn.opens.start < turn.opens.end for turn in found.turns)


# --- the first period: trial and stub --------------------------------------------------------------------------------


def test_in_a_trial_nothing_comes_before_its_end() -> None:
    found = walked(TRIAL, "2026-01-30T23:59:59")
    assert (found.turns, found.next_period_no, found.next_due) == ((), 0, utc("2026-01-31"))


@pytest.mark.parametrize("policy", list(CatchUpPolicy))
def test_the_end_of_a_trial_is_boundary_0_and_closes_nothing_that_is_billed(policy: CatchUpPolicy) -> None:
    found = walked(TRIAL, "2026-01-31", policy=policy)
    (turn,) = found.turns
    assert (turn.at, turn.period_no, turn.closes, turn.disposition) == (utc("2026-01-31"), 0, None, BILLED)
    assert turn.opens == span("2026-01-31", "2026-02-28")
    assert found.documents == ((turn,),)


def test_a_trial_whose_end_was_missed_is_free_and_what_followed_it_is_not() -> None:
    found = walked(TRIAL, "2026-03-31", policy=SKIP)
    assert numbers(found) == [(0, SKIPPED), (1, SKIPPED), (2, BILLED)]
    assert [turn.closes for turn in found.turns] == [
        None,
        span("2026-01-31", "2026-02-28"),
        span("2026-02-28", "2026-03-31"),
    ]


def test_a_trial_that_is_canceled_at_its_end_closes_and_opens_nothing() -> None:
    found = walked(replace(TRIAL, cancel_at=utc("2026-01-31")), "2026-02-15")
    (turn,) = found.turns
    assert (turn.at, turn.opens, turn.closes) == (utc("2026-01-31"), None, None)
    assert (found.ends, found.next_due) == (True, None)


def test_a_stub_runs_from_the_start_to_the_anchor_and_is_no_full_period() -> None:
    found = walked(STARTING, "2026-01-17")
    (turn,) = found.turns
    assert (turn.at, turn.period_no, turn.closes) == (utc("2026-01-17"), STUB, None)
    assert turn.opens == span("2026-01-17", "2026-02-01")
    assert (found.next_period_no, found.next_due) == (0, utc("2026-02-01"))
    assert STUB == -1


def test_the_anchor_closes_the_stub_and_opens_the_first_full_period() -> None:
    found = walked(onward(STARTING, walked(STARTING, "2026-01-17")), "2026-02-01")
    (turn,) = found.turns
    assert (turn.period_no, turn.closes) == (0, span("2026-01-17", "2026-02-01"))
    assert turn.opens == span("2026-02-01", "2026-03-01")


def test_a_stub_that_begins_a_full_period_ahead_is_as_long_as_one() -> None:
    schedule = replace(STARTING, anchor=utc("2026-03-31"), started_at=utc("2026-02-28"))
    assert boundary(schedule.anchor, "UTC", MONTH, STUB) == schedule.started_at
    assert [turn.opens for turn in walked(schedule, "2026-03-31").turns] == [
        span("2026-02-28", "2026-03-31"),
        span("2026-03-31", "2026-04-30"),
    ]
