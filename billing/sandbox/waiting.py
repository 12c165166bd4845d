"""What is still to be done: everything that forbids to move business time, counted in one reading and said in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from billing.flows.parts import Parts
from billing.queries.brakes import BrakeKind, moves
from billing.queries.dispute import undisputed
from billing.queue.names import (
    COLLECTIONS_RESOLVE,
    COLLECTIONS_TICK,
    INBOX_TICK,
    RENEWALS_TICK,
    UPKEEP_TICK,
    TaskName,
)

_READ = text(
    f"""
    WITH held AS (SELECT id FROM billing.profile WHERE hold_id IS NOT NULL)
    SELECT
      (SELECT count(*) FROM billing.subscription s
       WHERE next_due_at <= :now AND hold_id IS NULL AND profile_id NOT IN (SELECT id FROM held)
         AND {moves(BrakeKind.ISSUE, "s")}) AS subscriptions,
      (SELECT count(*) FROM billing.invoice i
       WHERE status = 'open' AND next_attempt_at <= :now AND hold_id IS NULL
         AND profile_id NOT IN (SELECT id FROM held)
         AND {moves(BrakeKind.COLLECT, "i")} AND {undisputed("i")}) AS invoices,
      (SELECT count(*) FROM billing.slice WHERE status IN ('pending', 'running')) AS slices,
      (SELECT count(*) FROM billing.payment
       WHERE status IN ('prepared', 'processing', 'requires_action', 'sent', 'unknown')
         AND status IN ('prepared', 'sent')) AS payments,
      (SELECT count(*) FROM billing.payment
       WHERE status IN ('prepared', 'processing', 'requires_action', 'sent', 'unknown')
         AND status = 'unknown') AS unknown,
      (SELECT count(*) FROM billing.provider_event WHERE next_try_at IS NOT NULL) AS events
    """  # noqa: S608 (our own words)
)
"""Only what waits, by partial indexes: the cost does not grow with the books.

What a hold, a brake or an open dispute stops may stay: no worker takes it up, whatever the wait.
"""

_WORDS = {
    "subscriptions": "{} due to be billed",
    "invoices": "{} due to be charged",
    "slices": "{} of work not done",
    "payments": "{} being made",
    "unknown": "{} whose outcome is unknown",
    "events": "{} waiting to be handled",
}
_NOUNS = {
    "subscriptions": ("subscription", "subscriptions"),
    "invoices": ("invoice", "invoices"),
    "slices": ("slice", "slices"),
    "payments": ("payment", "payments"),
    "unknown": ("payment", "payments"),
    "events": ("event", "events"),
}
_HELPS = {
    "subscriptions": RENEWALS_TICK,
    "invoices": COLLECTIONS_TICK,
    "slices": UPKEEP_TICK,
    "payments": COLLECTIONS_RESOLVE,
    "unknown": COLLECTIONS_RESOLVE,
    "events": INBOX_TICK,
}


@dataclass(frozen=True, slots=True)
class Waiting:
    """Counts at one business moment."""

    now: datetime
    counts: dict[str, int]

    @property
    def reasons(self) -> list[str]:
        """What is not done, each in words; empty where all is."""
        return [_WORDS[name].format(counted(count, *_NOUNS[name])) for name, count in self.counts.items() if count]

    @property
    def ticks(self) -> Iterator[TaskName]:
        """The sweeps that would find it."""
        yield from {_HELPS[name]: None for name, count in self.counts.items() if count}


def read_waiting(parts: Parts) -> Waiting:
    """Read it from the rows. `processing` and `requires_action` may stay: they wait for the provider or a person."""
    with parts.begin() as session:
        now = parts.clock.now(session)
        row = session.execute(_READ, {"now": now}).one()
    return Waiting(now=now, counts=dict(row._mapping))  # noqa: SLF001 (SQLAlchemy's public name)


def counted(count: int, one: str, many: str) -> str:
    """`1 invoice`, `3 invoices`."""
    return f"{count} {one if count == 1 else many}"
