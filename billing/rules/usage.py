"""Usage: whether a record counts, and at which instant, so that every record stands in one period or in none.

Source: the scenario contract, rules 2, 3 and 7. Instants are aware UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing.kernel.errors import Fault, Refused


class UsageKind(StrEnum):
    """How the records of a period become its quantity."""

    SUM = "sum"
    MAX = "max"
    LAST = "last"


@dataclass(frozen=True, slots=True)
class Placed:
    """`counts_at` is the instant that puts the record in a period; None: it is never billed.

    `late` is a `max` or `last` whose period was invoiced already: it changes nothing, and is listed.
    """

    counts_at: datetime | None
    late: bool = False


def place(
    kind: UsageKind,
    *,
    at: datetime,
    now: datetime,
    started_at: datetime,
    running_start: datetime,
    counts_from: datetime | None = None,
    past: Sequence[tuple[datetime, datetime]] = (),
    waits_from: datetime | None = None,
    trial_end: datetime | None = None,
    paid_through: datetime | None = None,
    pauses: Sequence[tuple[datetime, datetime | None]] = (),
) -> Placed:
    """Say what a record stamped `at` and reported at `now` counts as.

    Free in a trial (before `trial_end`), where it was paid elsewhere (before `paid_through`), and in a pause, half-open
    [from, until), `until` None while it lasts. What was used before the running period is invoiced already, and so is
    what was used in it while the item was there before (`past`, half-open), but for what waits to be (from `waits_from`
    on). A `sum` then counts at the first moment of the
    running period that is the item's (`counts_from`: when it came); a `max` or `last` is late.

    Raises `Refused` (`usage_in_future`: after `now`; `usage_before_start`: before the subscription's `started_at`).
    """
    if at > now:
        raise Refused(Fault("timestamp", "usage_in_future", "give a time that has come"))
    if at < started_at:
        raise Refused(Fault("timestamp", "usage_before_start", "give a time from the subscription's start"))
    free_until = [end for end in (trial_end, paid_through) if end is not None]
    if any(at < end for end in free_until) or any(start <= at and (end is None or at < end) for start, end in pauses):
        return Placed(counts_at=None)
    waits = waits_from is not None and at >= waits_from
    if waits or (at >= running_start and not any(start <= at < end for start, end in past)):
        return Placed(counts_at=at)
    if kind is UsageKind.SUM:
        return Placed(counts_at=max(running_start, counts_from or running_start))
    return Placed(counts_at=None, late=True)
