"""The outbox: one row a domain event, written with the fact and delivered later, at least once, in order by object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from billing.db.base import Json
from billing.events.topics import Topic
from billing.kernel.ids import new_id, new_ids
from billing.models import OutboxEvent


@dataclass(frozen=True, slots=True)
class Happened:
    """One domain event. `payload` holds ids, codes and amounts (`*_minor` beside `currency`); nothing personal."""

    topic: Topic
    object_type: str
    object_id: UUID
    seller_id: UUID
    payload: Json = field(default_factory=dict)


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
    """Add one event of business time `now` to the session. It is written with the next flush."""
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


def emit_all(session: Session, events: Iterable[Happened], *, now: datetime) -> None:
    """Write many events of business time `now` at once, in the order given."""
    waiting = list(events)
    if not waiting:
        return
    rows = [
        {
            "id": id_,
            "seller_id": event.seller_id,
            "topic": event.topic,
            "object_type": event.object_type,
            "object_id": event.object_id,
            "occurred_at": now,
            "payload": event.payload,
        }
        for id_, event in zip(new_ids(len(waiting)), waiting, strict=True)
    ]
    session.execute(insert(OutboxEvent), rows)
