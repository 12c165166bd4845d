"""Periods, computed anew from the anchor: each must stand where its number says, and touch the one before it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any

from billing.kernel.errors import Refused
from billing.kernel.period import Interval, IntervalUnit, boundary, period_no_at
from billing.queries.audit.invariant import Finding, Reading

STUB = -1
"""The number of a first period that is shorter than a full one."""

_PERIODS = """
SELECT b.id, b.subscription_id, b.anchor_no, b.period_no, b.starts_at, b.ends_at, b.disposition,
       s.anchor_no AS current_anchor_no, s.anchor_at, s.timezone, s.interval_unit, s.interval_count,
       s.started_at, s.paid_through
FROM billing.billing_period b
JOIN billing.subscription s ON s.id = b.subscription_id
ORDER BY b.subscription_id, b.anchor_no, b.period_no
"""


def misplaced_periods(reading: Reading) -> Iterator[Finding]:
    """Stream every period in order. Older anchors are no longer known: there the periods need only touch.

    Of what is recent the first periods are not judged by what came before them: that is not looked at.
    """
    before: Any = None
    for row in reading.read(_PERIODS):
        run = before if _same_run(row, before) else None
        try:
            fault = _fault(row, run, first=run is None and reading.since is None)
        except Refused as unknown:
            fault = _uncounted(row, unknown)
        if fault:
            yield Finding("billing_period", str(row.id), f"number {row.period_no} from {row.starts_at}: {fault}")
        before = row


EXCUSED = """
EXISTS (SELECT FROM billing.work_item w
        WHERE (w.id IN (s.hold_id, (SELECT p.hold_id FROM billing.profile p WHERE p.id = s.profile_id))
               OR w.id IN (SELECT b.work_item_id FROM billing.brake b WHERE b.kind = 'issue' AND b.released_at IS NULL
                             AND (b.seller_id IS NULL OR b.seller_id = s.seller_id)
                             AND (b.profile_id IS NULL OR b.profile_id = s.profile_id)))
          AND w.status IN ('open', 'parked'))
"""
"""Of subscription `s`: it or its customer is on hold, or issuing is stopped, and somebody is to look at it."""

_WITHOUT_PERIODS = f"""
SELECT s.id, s.anchor_at, s.timezone, s.interval_unit, s.interval_count, s.started_at, s.paid_through, s.cancel_at,
       s.next_due_at
FROM billing.subscription s
LEFT JOIN (SELECT DISTINCT subscription_id FROM billing.billing_period) b ON b.subscription_id = s.id
WHERE b.subscription_id IS NULL AND s.started_at <= :due_before
  AND s.status NOT IN ('trialing', 'canceled', 'incomplete_expired') AND NOT {EXCUSED}
"""  # noqa: S608 (our own text)


def never_begun(reading: Reading) -> Iterator[Finding]:
    """Stream the subscriptions without any period, and accuse those whose first one has begun and is not due.

    One that is due is late (R6).
    """
    due_before = reading.now - reading.grace.due
    for row in reading.read(_WITHOUT_PERIODS):
        try:
            first = _first(row)
        except Refused as unknown:
            yield Finding("subscription", str(row.id), _uncounted(row, unknown))
            continue
        ours = first <= due_before and (row.cancel_at is None or first < row.cancel_at)
        if ours and row.next_due_at != first:
            yield Finding(
                "subscription", str(row.id), f"its first period, from {first}, is neither billed nor recorded"
            )


def _first(row: Any) -> datetime:
    """The start of the first period that is ours: the start, or the first boundary from `paid_through` on."""
    if row.paid_through is None:
        begun: datetime = min(row.started_at, row.anchor_at)
        return begun
    k = period_no_at(row.anchor_at, row.timezone, _interval(row.interval_unit, row.interval_count), row.paid_through)
    begins = _boundary(row, k)
    return begins if begins >= row.paid_through else _boundary(row, k + 1)


_SEVERAL = """
SELECT i.subscription_id, l.price_id, l.period_start, count(DISTINCT i.id) AS documents, count(*) AS lines
FROM billing.invoice_line l
JOIN billing.invoice i ON i.id = l.invoice_id
WHERE l.kind = 'recurring' AND i.kind = 'invoice' AND i.status NOT IN ('void', 'expired', 'replaced')
  AND i.subscription_id IS NOT NULL
GROUP BY i.subscription_id, l.price_id, l.period_start
HAVING count(*) > 1
"""

_BEGUN = """
SELECT count(*) FROM billing.billing_period
WHERE subscription_id = :subscription_id AND starts_at = :period_start AND disposition = 'billed'
"""


def charged_twice(reading: Reading) -> Iterator[Finding]:
    """Accuse a price that is charged more often from a moment on than periods begin there.

    Several do where a new anchor came at the very moment at which the one before it had come.
    """
    for row in list(reading.read(_SEVERAL)):
        begun = reading.count_all(_BEGUN, subscription_id=row.subscription_id, period_start=row.period_start)
        if row.lines > begun:
            detail = (
                f"price {row.price_id} from {row.period_start} stands on {row.documents} documents, {begun} begin there"
            )
            yield Finding("subscription", str(row.subscription_id), detail)


def _uncounted(row: Any, unknown: Refused) -> str:
    """A zone may go with a release of the zones' data; all others are checked."""
    return f"by its zone {row.timezone} nothing can be counted ({unknown.code})"


def _same_run(row: Any, before: Any) -> bool:
    return before is not None and before.subscription_id == row.subscription_id and before.anchor_no == row.anchor_no


def _fault(row: Any, before: Any, *, first: bool) -> str | None:
    if before is not None and before.ends_at != row.starts_at:
        return f"the one before it ends at {before.ends_at}"
    if row.anchor_no != row.current_anchor_no:
        return None
    if row.period_no == STUB:
        return None if row.ends_at == row.anchor_at else f"a first part must end at the anchor, {row.anchor_at}"
    begins, ends = _boundary(row, row.period_no), _boundary(row, row.period_no + 1)
    if (row.starts_at, row.ends_at) != (begins, ends) and row.disposition != "superseded":
        return f"by its anchor it is {begins} to {ends}, not to {row.ends_at}"
    return _fault_of_first(row, first=first) if before is None and row.anchor_no == 0 else None


def _fault_of_first(row: Any, *, first: bool) -> str | None:
    """The first period that is ours begins at the anchor, or at the first boundary from `paid_through` on."""
    ours_from = row.started_at if row.paid_through is None else row.paid_through
    if row.starts_at < ours_from:
        return f"nothing before {ours_from} is ours to bill"
    if first and row.period_no > 0 and _boundary(row, row.period_no - 1) >= ours_from:
        return "an earlier one is neither billed nor recorded"
    return None


def _boundary(row: Any, k: int) -> datetime:
    return _computed(row.anchor_at, row.timezone, row.interval_unit, row.interval_count, k)


@lru_cache(maxsize=65_536)
def _computed(anchor: datetime, zone: str, unit: str, count: int, k: int) -> datetime:
    return boundary(anchor, zone, _interval(unit, count), k)


@lru_cache(maxsize=256)
def _interval(unit: str, count: int) -> Interval:
    return Interval(IntervalUnit(unit), count)
