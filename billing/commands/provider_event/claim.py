"""Claim events for handling, and close them: processed, ignored, put back, or dead. Every write carries the token."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.work_item.close import close_all_for, close_for
from billing.db.rows import fetch
from billing.kernel.errors import Stale
from billing.kernel.status import EventStatus

NOT_HANDLED = "event_not_handled"
"""Kind of the work item for an event that no try could handle."""


@dataclass(frozen=True, slots=True)
class ClaimedEvent:
    """An event in one worker's hands until its lease (wall time) ends."""

    id: UUID
    provider_account_id: UUID
    type: str
    object_ref: str
    tries: int
    token: int
    paused_s: float
    """How long it had been put back for; 0 where it was not."""


# What our rows show already, in a final state, an event tells no news of (DECISIONS 27): an intent whose money is
# settled or whose failure is recorded, a charge that ended as it says, a method that is in use. Nor does a charge that
# changed: what it moved is read from the list of the balance.
# Each is a sub-select, not a join: one look into a unique index an event, whatever the planner knows of either table.
_CLOSE_SETTLED = """
    UPDATE billing.provider_event e
    SET status = 'processed', tries = e.tries + 1, token = e.token + 1, error = NULL, handled_at = %(now)s,
        lease_until = NULL, next_try_at = NULL, version = e.version + 1, updated_at = clock_timestamp()
    WHERE e.id = ANY(%(events)s) AND e.type = ANY(%(types)s)
      AND (e.status = 'received' OR e.status = 'processing' AND e.lease_until < clock_timestamp())
      AND CASE
          WHEN e.object_type = 'payment_intent' THEN
              (SELECT n.status FROM billing.payment_intent n
               WHERE n.provider_account_id = e.provider_account_id AND n.intent_ref = e.object_ref)
              IN ('succeeded', 'spent')
              OR (SELECT p.status FROM billing.payment p
                  WHERE p.provider_account_id = e.provider_account_id AND p.charge_ref = e.charge_ref) = 'declined'
          WHEN e.type IN ('charge.succeeded', 'charge.pending', 'charge.failed') THEN
              (SELECT p.status FROM billing.payment p
               WHERE p.provider_account_id = e.provider_account_id AND p.charge_ref = e.object_ref)
              = CASE e.type WHEN 'charge.failed' THEN 'declined' ELSE 'succeeded' END
          WHEN e.type = 'charge.updated' THEN TRUE
          WHEN e.type = 'payment_method.attached' THEN
              EXISTS (SELECT FROM billing.payment_method m
                      WHERE m.provider_account_id = e.provider_account_id AND m.method_ref = e.object_ref
                        AND m.status = 'active' AND m.status <> 'detached')
          ELSE FALSE END
    RETURNING e.id, e.tries
"""
_CLAIM = """
    UPDATE billing.provider_event e
    SET status = 'processing', tries = e.tries + 1, token = e.token + 1, version = e.version + 1,
        lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s),
        next_try_at = clock_timestamp() + make_interval(secs => %(lease_s)s), updated_at = clock_timestamp()
    FROM billing.provider_event was
    WHERE e.id = ANY(%(events)s) AND was.id = e.id AND e.status IN ('received', 'processing')
      AND (e.lease_until IS NULL OR e.lease_until < clock_timestamp())
    RETURNING e.id, e.provider_account_id, e.type, e.object_ref, e.tries, e.token,
        CASE WHEN was.status = 'received' AND was.lease_until IS NOT NULL
             THEN extract(epoch FROM was.lease_until - was.updated_at)::float8 ELSE 0 END AS paused_s
"""

# One that is put back is in nobody's hands until its pause is over, however many messages name it: its lease says so.
# `wake` moves the next try, and leaves the pause as it is.
_CLOSE = text(
    """
    UPDATE billing.provider_event
    SET status = :status, error = :error, tries = tries - :untried, handled_at = :handled_at,
        lease_until = CASE WHEN :again_s < 0 THEN NULL ELSE clock_timestamp() + make_interval(secs => :again_s) END,
        next_try_at = CASE WHEN :again_s < 0 THEN NULL ELSE clock_timestamp() + make_interval(secs => :again_s) END,
        version = version + 1, updated_at = clock_timestamp()
    WHERE id = :id AND token = :token AND status = 'processing'
    RETURNING id
    """
)

_SHARE = text(
    """
    UPDATE billing.provider_event
    SET status = 'processed', handled_at = :now, lease_until = NULL, next_try_at = NULL, version = version + 1,
        updated_at = clock_timestamp()
    WHERE provider_account_id = :account AND object_ref = :object_ref AND status = 'received' AND created_at < :read_at
    RETURNING id
    """
)

_WAKE = text(
    """
    UPDATE billing.provider_event
    SET next_try_at = clock_timestamp() + make_interval(secs => :lease_s), version = version + 1
    WHERE id = ANY(ARRAY(SELECT id FROM billing.provider_event WHERE next_try_at <= clock_timestamp()
                 ORDER BY next_try_at LIMIT :most FOR NO KEY UPDATE SKIP LOCKED))
    RETURNING id
    """
)


def close_settled(session: Session, events: Sequence[UUID], *, types: Collection[str], now: datetime) -> set[UUID]:
    """Take and close, in one statement, those of the events that nothing needs to be asked about. Returns them.

    They are of these `types`, and tell what our rows show already. One in other hands is left alone.
    """
    rows = fetch(session, _CLOSE_SETTLED, events=list(events), types=list(types), now=now)
    close_all_for(session, [(NOT_HANDLED, row.id) for row in rows], now=now)
    return {row.id for row in rows}


def claim(session: Session, events: Sequence[UUID], *, lease_s: float) -> list[ClaimedEvent]:
    """Take those of the events that are neither handled nor in other hands, in the order given.

    One that was put back is not taken before its pause is over.
    """
    if not events:
        return []
    taken = {row.id: ClaimedEvent(*row) for row in fetch(session, _CLAIM, events=list(events), lease_s=lease_s)}
    return [taken[event] for event in dict.fromkeys(events) if event in taken]


def close(
    session: Session,
    claimed: ClaimedEvent,
    *,
    status: EventStatus,
    now: datetime | None = None,
    error: str | None = None,
    again_s: float = -1.0,
    untried: bool = False,
) -> None:
    """Write how handling ended, and close the work item of an earlier failure. `now` (business) is null if put back.

    `again_s` (wall seconds) is the pause of one put back; `untried`: nothing was tried, so no try is used up.
    Raises `Stale`.
    """
    row = session.execute(
        _CLOSE,
        {
            "id": claimed.id,
            "token": claimed.token,
            "status": status,
            "error": error,
            "handled_at": now,
            "again_s": again_s,
            "untried": int(untried),
        },
    ).one_or_none()
    if row is None:
        raise Stale(f"event {claimed.id} is in other hands")
    if now is not None and status is not EventStatus.DEAD:
        close_for(session, kind=NOT_HANDLED, subject_id=claimed.id, now=now)


def share_reading(session: Session, claimed: ClaimedEvent, *, read_at: datetime, now: datetime) -> None:
    """Close waiting events of the object that came before it was read (wall time), and the work items about them.

    One reading serves all.
    """
    shared = session.execute(
        _SHARE,
        {
            "account": claimed.provider_account_id,
            "object_ref": claimed.object_ref,
            "read_at": read_at,
            "now": now,
        },
    ).scalars()
    close_all_for(session, [(NOT_HANDLED, event) for event in shared], now=now)


def wake(session: Session, *, lease_s: float, most: int) -> list[UUID]:
    """Events whose try is due; each is looked at again after a lease, should this nudge be lost too."""
    return list(session.execute(_WAKE, {"lease_s": lease_s, "most": most}).scalars())
