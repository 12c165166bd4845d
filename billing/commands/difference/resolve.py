"""Resolve a difference: both sides agree again, or a person lets it be."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.work_item.close import close_for
from billing.queries.differences import the_difference


def resolve_difference(session: Session, *, difference_id: UUID, now: datetime) -> None:
    """End it and its work item, at business time `now`. Safe to repeat."""
    difference = the_difference(session, difference_id, lock=True)
    if difference.resolved_at is not None:
        return
    difference.resolved_at = now
    session.flush()
    close_for(session, kind=difference.kind, subject_id=difference.id, now=now)
