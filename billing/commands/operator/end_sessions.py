"""End every session of an operator: their next page asks who they are."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from billing.models import OperatorSession


def end_sessions(session: Session, *, operator_id: UUID) -> None:
    """Of all their browsers, at wall time. A repeat changes nothing."""
    session.execute(
        update(OperatorSession)
        .where(OperatorSession.operator_id == operator_id, OperatorSession.ended_at.is_(None))
        .values(ended_at=func.clock_timestamp())
    )
