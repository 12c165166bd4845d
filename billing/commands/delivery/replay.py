"""Replay: events of a range are delivered again, in order by object; those that were given up are tried anew."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.queries.endpoint import HEARS

# Tokens go on: each try keeps a place of its own.
_AGAIN = """
    status = 'waiting', tries = 0, first_try_at = NULL, closed_at = NULL, next_try_at = clock_timestamp(),
    version = d.version + 1, updated_at = clock_timestamp()
"""

_RANGE = f"""
    FROM billing.endpoint e JOIN billing.outbox o ON o.seller_id = e.seller_id
    WHERE e.id = :endpoint AND o.occurred_at >= :since AND o.occurred_at < :until AND {HEARS}
      AND (CAST(:event AS uuid) IS NULL OR o.id = :event)
"""

# Two statements: one that also looked at what waits would lock rows that a worker is recording.
_OLD = text(
    f"""
    UPDATE billing.delivery d SET {_AGAIN}
    WHERE d.endpoint_id = :endpoint AND d.status <> 'waiting' AND d.outbox_id IN (SELECT o.id {_RANGE})
    """  # noqa: S608 (our own words)
)
_NEW = text(
    f"""
    INSERT INTO billing.delivery (endpoint_id, outbox_id, seller_id, object_id)
    SELECT e.id, o.id, o.seller_id, o.object_id {_RANGE} AND o.delivered_at IS NOT NULL
    ORDER BY o.id
    ON CONFLICT DO NOTHING
    """
)
_REVIVE = text(f"UPDATE billing.delivery d SET {_AGAIN} WHERE d.endpoint_id = :endpoint AND d.status = 'dead'")  # noqa: S608 (our own words)


def replay(
    session: Session, *, endpoint_id: UUID, since: datetime, until: datetime, event_id: UUID | None = None
) -> int:
    """Deliver again what happened from `since` until before `until` (business time), whatever became of it.

    `event_id`: only this one of that range. Returns how many events; what waits already or is not handed over yet is
    left alone. Ids stay.
    """
    values = {"endpoint": endpoint_id, "since": since, "until": until, "event": event_id}
    again = session.execute(_OLD, values).rowcount  # type: ignore[attr-defined]
    first = session.execute(_NEW, values).rowcount  # type: ignore[attr-defined]
    return int(again) + int(first)


def revive(session: Session, *, endpoint_id: UUID) -> bool:
    """Try anew, for three more days, what was given up. False where nothing was."""
    done = session.execute(_REVIVE, {"endpoint": endpoint_id})
    return bool(done.rowcount)  # type: ignore[attr-defined]
