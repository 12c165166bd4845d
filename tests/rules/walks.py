"""Schedules that the tests of the walk begin from, and what they ask of a walk."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from billing.kernel.period import Interval, IntervalUnit
from billing.kernel.status import PeriodDisposition
from billing.rules.walk import STUB, CatchUpPolicy, Schedule, Span, Walk, walk

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
