"""The outbox: one row a domain event, written with the fact and delivered later, at least once, in order by object."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.base import Json
from billing.db.copy import copy_rows, field
from billing.events.topics import Topic
from billing.kernel.ids import new_id, new_ids
from billing.models import OutboxEvent

_COLUMNS = ("id", "seller_id", "topic", "object_type", "object_id", "occurred_at", "payload")


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


def emit_many(
    session: Session,
    *,
    topic: Topic,
    object_type: str,
    now: datetime,
    events: Iterable[tuple[UUID, UUID, str]],
) -> None:
    """Write many events of one topic by COPY, in the order given: (seller id, object id, payload as JSON text)."""
    waiting = list(events)
    at = now.isoformat()
    copy_rows(
        session,
        "outbox",
        _COLUMNS,
        (
            f"{id_}\t{seller_id}\t{topic}\t{object_type}\t{object_id}\t{at}\t{field(payload)}"
            for id_, (seller_id, object_id, payload) in zip(new_ids(len(waiting)), waiting, strict=True)
        ),
    )
