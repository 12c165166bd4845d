"""The walk: which boundaries of a subscription have come, missed ones included, and where it stands after them.

A boundary closes one period and opens the next: metered items are due for what it closes, licensed ones for what it
opens. A boundary at `now` has come. A period that holds no time (a zone skipped its day) is passed over. Source: the
scenario contract, rules 1, 3, 7 and 12, and DECISIONS 17.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing.kernel.errors import Fault, Refused
from billing.kernel.period import Interval, boundary
from billing.kernel.status import PeriodDisposition

STUB = -1
"""The number of a first period that ends at the anchor, before the first full one."""
MOST_ON_ONE = 10_000
"""So many missed periods one document takes: 27 years of days. What is far beyond is a mistake in a date."""


class CatchUpPolicy(StrEnum):
    """bill_each: a document a period. merge: one for all. skip: ended ones are recorded, the running one is billed."""

    BILL_EACH = "bill_each"
    MERGE = "merge"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open stretch of time, [start, end), aware UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The facts of a subscription that say when it is due. Instants are aware UTC, `zone` is an IANA name.

    `next_period_no` is the first period that is neither billed nor recorded. `running` is the period open now, if usage
    in it is to be billed (not in a trial). `turns_to` is the interval of items that wait for the next boundary.
    """

    anchor: datetime
    zone: str
    interval: Interval
    anchor_no: int
    next_period_no: int
    started_at: datetime
    running: Span | None = None
    cancel_at: datetime | None = None
    paused: bool = False
    turns_to: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One boundary that has come, or the end. `opens` is null where the subscription ends (inside a period too).

    `closes` is null where no usage is due: at a trial's end, before the first period.
    """

    at: datetime
    anchor_no: int
    period_no: int
    opens: Span | None
    closes: Span | None
    disposition: PeriodDisposition
    """Of the period it opens; a turn that ends the subscription has that of a billed one."""
    turned: bool = False
    """Items that were scheduled hold from here on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """Turns, oldest first; those of each document together (paused ones are on none); and what the row becomes.

    `next_due` may still be at or before now where the limit cut the walk; it is null once the subscription `ends`.
    """

    turns: tuple[Turn, ...]
    documents: tuple[tuple[Turn, ...], ...]
    anchor: datetime
    anchor_no: int
    interval: Interval
    next_period_no: int
    next_due: datetime | None
    ends: bool


def walk(schedule: Schedule, *, policy: CatchUpPolicy, now: datetime, most: int) -> Walk:
    """Every boundary at or before `now`; with `bill_each` at most `most`, the rest stays due.

    Raises `Refused` (`catch_up_too_long`): more have passed than one document takes.
    """
    anchor, anchor_no, interval = schedule.anchor, schedule.anchor_no, schedule.interval
    turns_to, closing, k = schedule.turns_to, schedule.running, schedule.next_period_no
    start = schedule.started_at if k == STUB else boundary(anchor, schedule.zone, interval, k)
    turns: list[Turn] = []
    ends = turned = False
    # Of one document: those that lie behind, the running one, and the end.
    limit = most if policy is CatchUpPolicy.BILL_EACH else MOST_ON_ONE + 2
    while not ends and len(turns) < limit:
        ends = schedule.cancel_at is not None and schedule.cancel_at <= start
        at = schedule.cancel_at if ends and schedule.cancel_at is not None else start
        if at > now:
            ends = False
            break
        if ends:
            opens = None
            closing = None if closing is None else Span(closing.start, at)
        else:
            if turns_to is not None:
                turned = True
                if turns_to != interval:
                    anchor, anchor_no, interval, k = start, anchor_no + 1, turns_to, 0
                turns_to = None
            end = boundary(anchor, schedule.zone, interval, k + 1)
            if end <= start:
                k += 1
                continue
            opens = Span(start, end)
        turns.append(
            Turn(
                at=at,
                anchor_no=anchor_no,
                period_no=k,
                opens=opens,
                closes=closing,
                disposition=_disposition(schedule, opens, policy, now),
                turned=not ends and turned,
            )
        )
        turned = False
        if opens is not None:
            closing, k, start = opens, k + 1, opens.end
    if policy is not CatchUpPolicy.BILL_EACH and not ends and len(turns) == limit:
        mend = f"more than {MOST_ON_ONE:,} periods were missed: let the seller catch up with bill_each, then retry"
        raise Refused(Fault("catch_up", "catch_up_too_long", mend))
    return Walk(
        turns=tuple(turns),
        documents=_documents(turns, policy),
        anchor=anchor,
        anchor_no=anchor_no,
        interval=interval,
        next_period_no=k,
        next_due=None if ends else _next(start, schedule.cancel_at),
        ends=ends,
    )


def _next(start: datetime, cancel_at: datetime | None) -> datetime:
    """When the next period would start, or the end that comes before: a longer interval may have passed over it."""
    return start if cancel_at is None else min(start, cancel_at)


def _disposition(schedule: Schedule, opens: Span | None, policy: CatchUpPolicy, now: datetime) -> PeriodDisposition:
    if opens is not None and schedule.paused:
        return PeriodDisposition.PAUSED
    if opens is not None and policy is CatchUpPolicy.SKIP and opens.end <= now:
        return PeriodDisposition.SKIPPED
    return PeriodDisposition.BILLED


def _documents(turns: list[Turn], policy: CatchUpPolicy) -> tuple[tuple[Turn, ...], ...]:
    written = tuple(turn for turn in turns if turn.disposition is not PeriodDisposition.PAUSED)
    if policy is CatchUpPolicy.BILL_EACH or not written:
        return tuple((turn,) for turn in written)
    return (written,)


def document_span(turns: tuple[Turn, ...], policy: CatchUpPolicy) -> Span:
    """The period that a document names: what it opens; of a last one, what it ends; merged, all of it."""
    first, last = turns[0], turns[-1]
    end = last.opens.end if last.opens else last.at
    if last.opens is None and (len(turns) == 1 or policy is CatchUpPolicy.SKIP):
        return Span(last.closes.start if last.closes else last.at, end)
    if policy is CatchUpPolicy.MERGE:
        return Span(first.at, end)
    return Span(last.at, end)
