"""Hand events over: each endpoint that hears of one gets its delivery, in one statement for all of them."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.events.topics import Topic
from billing.queries.endpoint import HEARS

_ORDER_LOCK = 3105
"""Advisory lock: one hands over at a time, so that an object's later event never comes to stand before its earlier."""

_HAND_OVER = text(
    f"""
    WITH handed AS (
        UPDATE billing.outbox SET delivered_at = clock_timestamp()
        WHERE id = ANY(ARRAY(SELECT id FROM billing.outbox WHERE delivered_at IS NULL ORDER BY id LIMIT :most))
        RETURNING id, seller_id, topic, object_id, created_at
    ), made AS (
        INSERT INTO billing.delivery (endpoint_id, outbox_id, seller_id, object_id)
        SELECT e.id, o.id, o.seller_id, o.object_id
        FROM handed o
        JOIN billing.endpoint e
          ON e.seller_id = o.seller_id AND e.status = 'on' AND e.created_at <= o.created_at AND {HEARS}
        ORDER BY o.id
        ON CONFLICT DO NOTHING
    )
    SELECT count(*), array_agg(id ORDER BY id) FILTER (WHERE topic = ANY(:watched)) FROM handed
    """  # noqa: S608 (our own words)
)


def hand_over(session: Session, *, most: int, watched: Collection[Topic] = ()) -> tuple[int, list[UUID]]:
    """Hand over the oldest events. Returns how many, and which of them are of the `watched` topics.

    Of nothing where another worker is at it. Safe to repeat: each event is handed over once.
    """
    if not session.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _ORDER_LOCK}).scalar_one():
        return 0, []
    count, found = session.execute(_HAND_OVER, {"most": most, "watched": list(watched)}).one()
    return count, found or []


def hold_handing_over(session: Session) -> None:
    """Until this transaction ends nobody hands over: who is on or off changes between two batches, never within."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ORDER_LOCK})
