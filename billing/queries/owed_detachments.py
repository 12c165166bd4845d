"""Removed methods of which the provider is still to be told."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.kernel.status import WorkItemStatus
from billing.kernel.work import WorkKind
from billing.models import PaymentMethod, WorkItem


def due_detachments(session: Session, *, most: int) -> list[tuple[UUID, bool]]:
    """(method, whether a person has discarded its work item), longest due first."""
    given_up = (
        select(WorkItem.id)
        .where(
            WorkItem.kind == WorkKind.PAYMENT_METHOD_NOT_DETACHED,
            WorkItem.subject_id == PaymentMethod.id,
            WorkItem.status == WorkItemStatus.DISCARDED,
        )
        .exists()
    )
    rows = session.execute(
        select(PaymentMethod.id, given_up)
        .where(PaymentMethod.detach_due_at <= func.clock_timestamp())
        .order_by(PaymentMethod.detach_due_at)
        .limit(most)
    )
    return [(id_, discarded) for id_, discarded in rows]


def detachments_of(session: Session, profile_id: UUID) -> Sequence[PaymentMethod]:
    """Of one profile, due or not."""
    return session.scalars(
        select(PaymentMethod)
        .where(PaymentMethod.profile_id == profile_id, PaymentMethod.detach_due_at.is_not(None))
        .order_by(PaymentMethod.id)
    ).all()
