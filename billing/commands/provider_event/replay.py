"""Replay an event: it is handled anew. Handlers are order-proof and act once, so nothing is settled twice."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.kernel.status import EventStatus
from billing.models import ProviderEvent

WAITING = (EventStatus.RECEIVED, EventStatus.PROCESSING)

_REPLAY = text(
    """
    UPDATE billing.provider_event
    SET status = 'received', tries = 0, handled_at = NULL, lease_until = NULL, next_try_at = clock_timestamp(),
        version = version + 1, updated_at = clock_timestamp()
    WHERE id = :id
    """
)


def lock_event(session: Session, event_id: UUID) -> ProviderEvent:
    """The row, locked until the transaction ends. Raises `Refused` (`event_not_found`)."""
    found = session.scalars(
        select(ProviderEvent)
        .where(ProviderEvent.id == event_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise Refused(Fault("event", "event_not_found", "give an id of `billing events list`"))
    return found


def replay_event(session: Session, *, event: ProviderEvent) -> bool:
    """Put a handled, ignored or dead event back, with all its tries. False where it waits to be handled already."""
    if event.status in WAITING:
        return False
    session.execute(_REPLAY, {"id": event.id})
    session.refresh(event)
    return True
