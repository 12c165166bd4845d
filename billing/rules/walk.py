"""Catch-up: which periods are due, missed ones included, and when the subscription is due next.

Licensed items are paid in advance, so period k is due at its start; a boundary at `now` is due. A period that holds no
time (a zone skipped its day) is passed over. Source: the scenario contract, rule 12, and DECISIONS 17.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing.kernel.period import Interval, boundary
from billing.kernel.status import PeriodDisposition


class CatchUpPolicy(StrEnum):
    """bill_each: a document a period. merge: one for all. skip: ended ones are recorded, the running one is billed."""

    BILL_EACH = "bill_each"
    MERGE = "merge"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Schedule:
    """The facts of a subscription that say when it is due. Instants are aware UTC, `zone` is an IANA name.

    `next_period_no` is the first period that is neither billed nor recorded. No period begins at or after `cancel_at`.
    """

    anchor: datetime
    zone: str
    interval: Interval
    anchor_no: int
    next_period_no: int
    cancel_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DuePeriod:
    """A period to be written now: [start, end), with what becomes of it (billed or skipped)."""

    anchor_no: int
    period_no: int
    start: datetime
    end: datetime
    disposition: PeriodDisposition


@dataclass(frozen=True, slots=True)
class CatchUp:
    """What to write now, oldest first, and what the subscription's columns become.

    `documents` holds the billed periods by document. `next_due` may still be at or before now where the limit cut the
    run; it is null once the subscription `ends` (its `cancel_at` has come and nothing before it is left).
    """

    periods: tuple[DuePeriod, ...]
    documents: tuple[tuple[DuePeriod, ...], ...]
    next_period_no: int
    next_due: datetime | None
    ends: bool


def due_periods(schedule: Schedule, *, policy: CatchUpPolicy, now: datetime, max_periods: int | None = None) -> CatchUp:
    """Compute what is due at `now` (business time). `max_periods` limits bill_each only; None: no limit."""
    limit = max_periods if policy is CatchUpPolicy.BILL_EACH else None
    until = schedule.cancel_at
    k = schedule.next_period_no
    start = boundary(schedule.anchor, schedule.zone, schedule.interval, k)
    periods: list[DuePeriod] = []
    while start <= now and (until is None or start < until) and (limit is None or len(periods) < limit):
        end = boundary(schedule.anchor, schedule.zone, schedule.interval, k + 1)
        if start < end:
            missed = policy is CatchUpPolicy.SKIP and end <= now
            disposition = PeriodDisposition.SKIPPED if missed else PeriodDisposition.BILLED
            periods.append(DuePeriod(schedule.anchor_no, k, start, end, disposition))
        k, start = k + 1, end
    ends = until is not None and until <= start and until <= now
    next_due = start if until is None else min(start, until)
    return CatchUp(
        periods=tuple(periods),
        documents=_documents(periods, policy),
        next_period_no=k,
        next_due=None if ends else next_due,
        ends=ends,
    )


def _documents(periods: list[DuePeriod], policy: CatchUpPolicy) -> tuple[tuple[DuePeriod, ...], ...]:
    billed = tuple(period for period in periods if period.disposition is PeriodDisposition.BILLED)
    if policy is CatchUpPolicy.BILL_EACH or not billed:
        return tuple((period,) for period in billed)
    return (billed,)
