"""What holds for the walk of any schedule."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from billing.kernel.period import Interval, IntervalUnit, boundary
from billing.rules.walk import STUB, CatchUpPolicy, Schedule, Span, Turn
from tests.rules.walks import BILL_EACH, BILLED, MERGE, PAUSED, SKIP, SKIPPED, onward, walked

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


def end_of(period: Span, schedule: Schedule) -> datetime:
    """A scheduled end may lie inside a period that a longer interval made, and then cuts it."""
    return period.end if schedule.cancel_at is None else min(period.end, schedule.cancel_at)


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
        ends = before.opens.end if after.opens is not None else end_of(before.opens, schedule)
        assert after.closes == Span(before.opens.start, ends)
        assert ends == after.at
    for turn in found.turns:
        assert turn.at <= first + passed
        assert turn.opens is None or turn.at == turn.opens.start < turn.opens.end
    last = found.turns[-1]
    assert found.ends is (last.opens is None)
    assert found.next_due == (None if last.opens is None else end_of(last.opens, schedule))
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
