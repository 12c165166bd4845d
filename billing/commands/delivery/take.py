"""Take deliveries that are due at one endpoint, by a new token and a lease; of one object only the earliest."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.rows import fetch

# The earliest of an object is asked for row by row, along the index, so that a batch costs the same however many wait:
# as NOT EXISTS it became a join of all that does.
_TAKE = """
    WITH due AS (
        SELECT d.outbox_id FROM billing.delivery d
        WHERE d.endpoint_id = %(endpoint)s AND d.status = 'waiting' AND d.next_try_at <= clock_timestamp()
          AND d.outbox_id = (
            SELECT f.outbox_id FROM billing.delivery f
            WHERE f.endpoint_id = d.endpoint_id AND f.object_id = d.object_id AND f.status = 'waiting'
            ORDER BY f.outbox_id LIMIT 1)
        ORDER BY d.next_try_at LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED)
    UPDATE billing.delivery d
    SET token = d.token + 1, tries = d.tries + 1, first_try_at = coalesce(d.first_try_at, clock_timestamp()),
        next_try_at = clock_timestamp() + make_interval(secs => %(lease_s)s), version = d.version + 1,
        updated_at = clock_timestamp()
    FROM due, billing.outbox o
    WHERE d.endpoint_id = %(endpoint)s AND d.outbox_id = due.outbox_id AND o.id = due.outbox_id
    RETURNING o.id, o.seller_id, o.topic, o.object_type, o.object_id, o.occurred_at, o.created_at, o.payload,
              d.token, d.tries
"""


def take_deliveries(session: Session, *, endpoint_id: UUID, lease_s: float, most: int) -> list[Any]:
    """Claim at most `most`, whose tries were longest due, with their events. `lease_s` is wall time."""
    return fetch(session, _TAKE, endpoint=endpoint_id, lease_s=lease_s, most=most)
