"""Forget what was handed over long ago: events with their deliveries and tries, oldest first, in small batches."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.db.clock import wall_now
from billing.kernel.ids import lowest_id_at

_DELIVERIES = text(
    """
    DELETE FROM billing.delivery d
    USING billing.endpoint e, LATERAL (
        SELECT o.outbox_id FROM billing.delivery o
        WHERE o.endpoint_id = e.id AND o.outbox_id < :bound ORDER BY o.outbox_id LIMIT :most) old
    WHERE d.endpoint_id = e.id AND d.outbox_id = old.outbox_id
    """
)

_EVENTS = text(
    """
    DELETE FROM billing.outbox
    WHERE id = ANY(ARRAY(SELECT id FROM billing.outbox WHERE id < :bound ORDER BY id LIMIT :most))
      AND delivered_at IS NOT NULL
    """
)


def purge_events(session: Session, *, days: int, most: int) -> int:
    """Delete what is older than `days` of wall time. Returns how many rows; 0 once nothing is left.

    Deliveries go first, and events only once none of theirs is left. What still waits by then waits for an endpoint
    that has been off for as long.
    """
    values = {"bound": lowest_id_at(wall_now(session) - timedelta(days=days)), "most": most}
    deliveries = session.execute(_DELIVERIES, values).rowcount  # type: ignore[attr-defined]
    if deliveries:
        return int(deliveries)
    return int(session.execute(_EVENTS, values).rowcount)  # type: ignore[attr-defined]
