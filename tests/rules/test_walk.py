"""Walk: no boundary is missed, none comes twice, and each policy groups the missed ones as it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.kernel.period import Interval, IntervalUnit, boundary
from billing.kernel.status import PeriodDisposition
from billing.rules.walk import STUB, CatchUpPolicy, Schedule, Span, Turn, Walk, document_span, walk

BILLED, PAUSED, SKIPPED = PeriodDisposition.BILLED, PeriodDisposition.PAUSED, PeriodDisposition.SKIPPED
BILL_EACH, MERGE, SKIP = CatchUpPolicy.BILL_EACH, CatchUpPolicy.MERGE, CatchUpPolicy.SKIP
MONTH, YEAR, DAY = Interval(IntervalUnit.MONTH), Interval(IntervalUnit.YEAR), Interval(IntervalUnit.DAY)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def span(start: str, end: str) -> Span:
    return Span(utc(start), utc(end))


MONTHLY = Schedule(
    anchor=utc("2026-01-31"),
    zone="UTC",
    interval=MONTH,
    anchor_no=0,
    next_period_no=1,
    started_at=utc("2026-01-31"),
    running=span("2026-01-31", "2026-02-28"),
)
TRIAL = replace(MONTHLY, started_at=utc("2026-01-17"), next_period_no=0, running=None)
STARTING = Schedule(
    anchor=utc("2026-02-01"),
    zone="UTC",
    interval=MONTH,
    anchor_no=0,
    next_period_no=STUB,
    started_at=utc("2026-01-17"),
)


def walked(schedule: Schedule, now: str | datetime, *, policy: CatchUpPolicy = BILL_EACH, most: int = 1000) -> Walk:
    return walk(schedule, policy=policy, now=utc(now) if isinstance(now, str) else now, most=most)


def onward(schedule: Schedule, done: Walk) -> Schedule:
    """The schedule after a walk was written down."""
    opened = [turn.opens for turn in done.turns if turn.opens is not None]
    return replace(
        schedule,
        anchor=done.anchor,
        anchor_no=done.anchor_no,
        interval=done.interval,
        next_period_no=done.next_period_no,
        running=opened[-1] if opened else schedule.running,
        turns_to=None if any(turn.turned for turn in done.turns) else schedule.turns_to,
    )


def numbers(found: Walk) -> list[tuple[int, PeriodDisposition]]:
    return [(turn.period_no, turn.disposition) for turn in found.turns if turn.opens is not None]


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


# --- a scheduled cancel ----------------------------------------------------------------------------------------------


def test_no_period_begins_at_or_after_a_scheduled_cancel() -> None:
    found = walked(replace(MONTHLY, cancel_at=utc("2026-03-31")), "2026-06-15")
    assert numbers(found) == [(1, BILLED)]
    assert found.ends
    assert found.next_due is None


def test_the_last_turn_closes_the_last_period_and_has_a_document_for_its_usage() -> None:
    found = walked(replace(MONTHLY, cancel_at=utc("2026-02-28")), "2026-02-28")
    (turn,) = found.turns
    assert (turn.at, turn.opens, turn.closes) == (utc("2026-02-28"), None, span("2026-01-31", "2026-02-28"))
    assert found.documents == ((turn,),)
    assert (found.ends, found.next_period_no) == (True, 1)


def test_a_cancel_that_has_not_come_yet_is_the_next_moment() -> None:
    found = walked(replace(MONTHLY, cancel_at=utc("2026-03-31")), "2026-03-01")
    assert numbers(found) == [(1, BILLED)]
    assert not found.ends
    assert found.next_due == utc("2026-03-31")


def test_a_cancel_waits_while_the_limit_leaves_boundaries_before_it() -> None:
    found = walked(replace(MONTHLY, cancel_at=utc("2026-05-31")), "2026-07-01", most=1)
    assert not found.ends
    assert found.next_due == utc("2026-03-31")


def test_under_skip_a_cancel_in_the_outage_bills_no_period_but_the_usage_of_all() -> None:
    found = walked(replace(MONTHLY, cancel_at=utc("2026-04-30")), "2026-06-15", policy=SKIP)
    assert numbers(found) == [(1, SKIPPED), (2, SKIPPED)]
    assert found.documents == (found.turns,)
    assert (found.turns[-1].opens, found.turns[-1].closes) == (None, span("2026-03-31", "2026-04-30"))
    assert found.ends


# --- a scheduled change ----------------------------------------------------------------------------------------------


def test_scheduled_items_take_over_at_the_first_boundary_and_once() -> None:
    found = walked(replace(MONTHLY, turns_to=MONTH), "2026-05-01")
    assert [turn.turned for turn in found.turns] == [True, False, False]
    assert (found.anchor, found.anchor_no, found.interval) == (MONTHLY.anchor, 0, MONTH)
    assert numbers(found) == numbers(walked(MONTHLY, "2026-05-01"))


def test_items_of_another_interval_make_their_boundary_the_anchor() -> None:
    found = walked(replace(MONTHLY, turns_to=YEAR), "2026-02-28")
    (turn,) = found.turns
    assert (turn.anchor_no, turn.period_no, turn.turned) == (1, 0, True)
    assert turn.opens == span("2026-02-28", "2027-02-28")
    assert turn.closes == MONTHLY.running
    assert (found.anchor, found.anchor_no, found.interval) == (utc("2026-02-28"), 1, YEAR)
    assert (found.next_period_no, found.next_due) == (1, utc("2027-02-28"))


def test_another_count_is_another_interval() -> None:
    found = walked(replace(MONTHLY, turns_to=Interval(IntervalUnit.MONTH, 2)), "2026-05-01")
    assert [(turn.at, turn.anchor_no, turn.period_no) for turn in found.turns] == [
        (utc("2026-02-28"), 1, 0),
        (utc("2026-04-28"), 1, 1),
    ]


@pytest.mark.parametrize("policy", list(CatchUpPolicy))
def test_a_change_in_the_outage_acts_at_its_boundary(policy: CatchUpPolicy) -> None:
    found = walked(replace(MONTHLY, turns_to=Interval(IntervalUnit.WEEK)), "2026-03-15", policy=policy)
    assert [turn.at for turn in found.turns] == [utc("2026-02-28"), utc("2026-03-07"), utc("2026-03-14")]
    assert [turn.turned for turn in found.turns] == [True, False, False]


def test_a_change_in_a_trial_holds_from_its_end() -> None:
    (turn,) = walked(replace(TRIAL, turns_to=YEAR), "2026-01-31").turns
    assert (turn.turned, turn.opens, turn.closes) == (True, span("2026-01-31", "2027-01-31"), None)


def test_a_change_that_has_not_come_yet_changes_nothing() -> None:
    found = walked(replace(MONTHLY, turns_to=YEAR), "2026-02-27")
    assert (found.turns, found.anchor_no, found.interval) == ((), 0, MONTH)


def test_a_scheduled_cancel_beats_a_scheduled_change() -> None:
    found = walked(replace(MONTHLY, turns_to=YEAR, cancel_at=utc("2026-02-28")), "2026-03-15")
    (turn,) = found.turns
    assert (turn.turned, turn.opens) == (False, None)
    assert (found.ends, found.anchor, found.interval) == (True, MONTHLY.anchor, MONTH)


# --- a pause ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", list(CatchUpPolicy))
def test_in_a_pause_boundaries_pass_without_a_document(policy: CatchUpPolicy) -> None:
    found = walked(replace(MONTHLY, paused=True), "2026-05-01", policy=policy)
    assert numbers(found) == [(1, PAUSED), (2, PAUSED), (3, PAUSED)]
    assert found.documents == ()
    assert (found.next_period_no, found.next_due) == (4, utc("2026-05-31"))


def test_a_period_that_closes_in_a_pause_is_told_for_its_usage_from_before() -> None:
    (turn,) = walked(replace(MONTHLY, paused=True), "2026-02-28").turns
    assert turn.closes == MONTHLY.running


def test_after_a_resume_the_next_boundary_is_billed_and_closes_the_period_opened_in_the_pause() -> None:
    paused = replace(MONTHLY, paused=True)
    resumed = replace(onward(paused, walked(paused, "2026-03-01")), paused=False)
    assert walked(resumed, "2026-03-30").turns == ()
    found = walked(resumed, "2026-03-31")
    (turn,) = found.turns
    assert (turn.disposition, turn.closes) == (BILLED, span("2026-02-28", "2026-03-31"))
    assert found.documents == ((turn,),)


@pytest.mark.parametrize("policy", list(CatchUpPolicy))
def test_a_cancel_in_a_pause_has_its_last_document_alone(policy: CatchUpPolicy) -> None:
    found = walked(replace(MONTHLY, paused=True, cancel_at=utc("2026-03-31")), "2026-06-15", policy=policy)
    assert numbers(found) == [(1, PAUSED)]
    assert found.documents == ((found.turns[-1],),)
    assert document_span(found.documents[0], policy) == span("2026-02-28", "2026-03-31")
    assert found.ends


def test_scheduled_items_take_over_in_a_pause_too() -> None:
    found = walked(replace(MONTHLY, paused=True, turns_to=YEAR), "2026-03-15")
    (turn,) = found.turns
    assert (turn.disposition, turn.turned, found.interval) == (PAUSED, True, YEAR)


# --- what a document names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "now", "spans"),
    [
        (BILL_EACH, "2026-04-10", [("2026-02-28", "2026-03-31"), ("2026-03-31", "2026-04-30")]),
        (MERGE, "2026-04-10", [("2026-02-28", "2026-04-30")]),
        (MERGE, "2026-03-01", [("2026-02-28", "2026-03-31")]),
        (SKIP, "2026-04-10", [("2026-03-31", "2026-04-30")]),
        (SKIP, "2026-03-01", [("2026-02-28", "2026-03-31")]),
    ],
)
def test_a_document_names_the_period_that_it_opens_and_merged_all_of_them(
    policy: CatchUpPolicy, now: str, spans: list[tuple[str, str]]
) -> None:
    found = walked(MONTHLY, now, policy=policy)
    assert [document_span(turns, policy) for turns in found.documents] == [span(*each) for each in spans]


@pytest.mark.parametrize(
    ("policy", "cancel_at", "spans"),
    [
        (BILL_EACH, "2026-02-28", [("2026-01-31", "2026-02-28")]),
        (MERGE, "2026-02-28", [("2026-01-31", "2026-02-28")]),
        (SKIP, "2026-02-28", [("2026-01-31", "2026-02-28")]),
        (BILL_EACH, "2026-03-31", [("2026-02-28", "2026-03-31"), ("2026-02-28", "2026-03-31")]),
        (MERGE, "2026-03-31", [("2026-02-28", "2026-03-31")]),
        (SKIP, "2026-03-31", [("2026-02-28", "2026-03-31")]),
        (MERGE, "2026-04-30", [("2026-02-28", "2026-04-30")]),
        (SKIP, "2026-04-30", [("2026-03-31", "2026-04-30")]),
    ],
)
def test_a_last_document_names_the_period_that_it_ends(
    policy: CatchUpPolicy, cancel_at: str, spans: list[tuple[str, str]]
) -> None:
    found = walked(replace(MONTHLY, cancel_at=utc(cancel_at)), "2026-06-15", policy=policy)
    assert [document_span(turns, policy) for turns in found.documents] == [span(*each) for each in spans]


@pytest.mark.parametrize("policy", list(CatchUpPolicy))
def test_the_document_of_a_stub_names_the_stub(policy: CatchUpPolicy) -> None:
    (turns,) = walked(STARTING, "2026-01-17", policy=policy).documents
    assert document_span(turns, policy) == span("2026-01-17", "2026-02-01")


# --- properties ------------------------------------------------------------------------------------------------------

INTERVALS = st.builds(Interval, st.sampled_from(IntervalUnit), st.integers(1, 6))
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"])
ANCHORS = st.one_of(
    st.datetimes(datetime(2011, 12, 20), datetime(2012, 1, 5), timezones=st.just(UTC)),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Any subscription: in a trial, before its stub or later; paused or not; with a change or a cancel to come."""
    anchor, zone, interval = draw(ANCHORS), draw(ZONES), draw(INTERVALS)
    k = draw(st.integers(STUB, 20))
    before = boundary(anchor, zone, interval, STUB)
    started_at = before + (anchor - before) * draw(st.integers(0, 9)) / 10 if k == STUB else anchor
    start = started_at if k == STUB else boundary(anchor, zone, interval, k)
    running = None
    if k > 0 and (previous := boundary(anchor, zone, interval, k - 1)) < start:
        running = Span(previous, start)
    cancel_after = draw(st.one_of(st.none(), st.integers(1, 12)))
    return Schedule(
        anchor=anchor,
        zone=zone,
        interval=interval,
        anchor_no=draw(st.integers(0, 3)),
        next_period_no=k,
        started_at=started_at,
        running=running,
        cancel_at=None if cancel_after is None else boundary(anchor, zone, interval, k + cancel_after),
        paused=draw(st.booleans()),
        turns_to=draw(st.one_of(st.none(), st.just(interval), INTERVALS)),
    )


def first_due(schedule: Schedule) -> datetime:
    if schedule.next_period_no == STUB:
        return schedule.started_at
    return boundary(schedule.anchor, schedule.zone, schedule.interval, schedule.next_period_no)


POLICIES = st.sampled_from(CatchUpPolicy)
PASSED = st.integers(0, 200 * 86_400).map(lambda seconds: timedelta(seconds=seconds))


@given(schedules(), POLICIES, PASSED)
def test_periods_tile_without_a_gap_or_an_overlap(schedule: Schedule, policy: CatchUpPolicy, passed: timedelta) -> None:
    first = first_due(schedule)
    found = walked(schedule, first + passed, policy=policy)
    assert found.turns[0].at == first
    assert found.turns[0].closes == schedule.running
    for before, after in pairwise(found.turns):
        assert before.opens is not None
        # An end inside a period cuts it.
        ends = after.at if after.opens is None else before.opens.end
        assert after.closes == Span(before.opens.start, ends)
        assert before.opens.end == after.at
    for turn in found.turns:
        assert turn.at <= first + passed
        assert turn.opens is None or turn.at == turn.opens.start < turn.opens.end
    last = found.turns[-1]
    assert found.ends is (last.opens is None)
    assert found.next_due == (None if last.opens is None else last.opens.end)
    assert found.next_due is None or found.next_due > first + passed


@given(schedules(), POLICIES, PASSED)
def test_a_boundary_never_drifts_from_its_anchor(schedule: Schedule, policy: CatchUpPolicy, passed: timedelta) -> None:
    found = walked(schedule, first_due(schedule) + passed, policy=policy)
    for turn in found.turns:
        anchor, interval = schedule.anchor, schedule.interval
        if turn.anchor_no != schedule.anchor_no:
            anchor, interval = found.anchor, found.interval
        expected = boundary(anchor, schedule.zone, interval, turn.period_no)
        due = schedule.started_at if turn.period_no == STUB else expected
        leaves = turn.opens is None and schedule.cancel_at is not None
        assert turn.at == (min(due, schedule.cancel_at) if leaves and schedule.cancel_at else due)
        if turn.opens is not None:
            assert turn.opens.end == boundary(anchor, schedule.zone, interval, turn.period_no + 1)
    places = [(turn.anchor_no, turn.period_no) for turn in found.turns]
    assert places == sorted(set(places))


@given(schedules(), PASSED, st.lists(st.tuples(st.integers(0, 100), st.integers(1, 5)), max_size=8), st.integers(1, 5))
def test_however_a_catch_up_is_sliced_the_same_periods_come_out(
    schedule: Schedule, passed: timedelta, cuts: list[tuple[int, int]], most: int
) -> None:
    first = first_due(schedule)
    now = first + passed
    whole = walked(schedule, now)
    seen: list[Turn] = []
    documents: list[tuple[Turn, ...]] = []
    at, part = schedule, walked(schedule, first - timedelta(microseconds=1))
    assert part.turns == ()
    # First at some moments on the way, each with its own limit, then at the end until nothing is left.
    moments = [(first + passed * percent / 100, limit) for percent, limit in sorted(cuts)]
    while not part.ends and (moments or (part.next_due is not None and part.next_due <= now)):
        moment, limit = moments.pop(0) if moments else (now, most)
        part = walked(at, moment, most=limit)
        assert len(part.turns) <= limit
        seen += part.turns
        documents += part.documents
        at = onward(at, part)
    assert tuple(seen) == whole.turns
    assert tuple(documents) == whole.documents
    assert replace(part, turns=(), documents=()) == replace(whole, turns=(), documents=())


@given(schedules(), PASSED)
def test_the_policies_differ_in_documents_and_never_in_time(schedule: Schedule, passed: timedelta) -> None:
    now = first_due(schedule) + passed
    each, merged, skipped = (walked(schedule, now, policy=policy) for policy in (BILL_EACH, MERGE, SKIP))
    assert merged.turns == each.turns
    assert [replace(turn, disposition=BILLED) for turn in skipped.turns] == [
        replace(turn, disposition=BILLED) for turn in each.turns
    ]
    written = [turn for turn in each.turns if turn.opens is None or not schedule.paused]
    assert [turn for document in each.documents for turn in document] == written
    assert merged.documents == ((tuple(written),) if written else ())
    if not schedule.paused:
        assert skipped.documents == (skipped.turns,)
        for turn in skipped.turns:
            over = turn.opens is not None and turn.opens.end <= now
            assert turn.disposition is (SKIPPED if over else BILLED)


@given(schedules(), PASSED, st.integers(0, 100))
def test_a_pause_moves_no_boundary(schedule: Schedule, passed: timedelta, percent: int) -> None:
    first = first_due(schedule)
    paused = replace(schedule, paused=True)
    in_pause = walked(paused, first + passed * percent / 100)
    assert all(turn.disposition is PAUSED for turn in in_pause.turns if turn.opens is not None)
    never = walked(replace(schedule, paused=False), first + passed)
    seen = [*in_pause.turns]
    if not in_pause.ends:
        seen += walked(replace(onward(paused, in_pause), paused=False), first + passed).turns
    assert [(turn.at, turn.opens, turn.closes) for turn in seen] == [
        (turn.at, turn.opens, turn.closes) for turn in never.turns
    ]
