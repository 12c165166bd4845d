"""The outbox: one row a domain event, written with the fact and delivered later, at least once, in order by object."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.base import Json
from billing.events.topics import Topic
from billing.kernel.ids import new_id
from billing.models import OutboxEvent


def emit(
    session: Session,
    *,
    topic: Topic,
    object_type: str,
    object_id: UUID,
    seller_id: UUID,
    now: datetime,
    payload: Json | None = None,
) -> None:
    """Add one event of business time `now` to the session; it is written with the next flush.

    `payload` holds ids, codes and amounts (`*_minor` beside `currency`); nothing personal.
    """
    session.add(
        OutboxEvent(
            id=new_id(),
            seller_id=seller_id,
            topic=topic,
            object_type=object_type,
            object_id=object_id,
            occurred_at=now,
            payload=payload or {},
        )
    )
