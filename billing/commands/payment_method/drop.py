"""Drop what was begun of a method that the provider will not have: nothing was bound, and nobody was told of it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.orm import Session

from billing.kernel.status import MethodStatus
from billing.models import PaymentMethod


def drop_method(session: Session, method_id: UUID) -> None:
    """Delete the row of one that was to be adopted (`begin_adoption`), as long as it waits; any other stays."""
    session.execute(
        delete(PaymentMethod).where(
            PaymentMethod.id == method_id,
            PaymentMethod.status == MethodStatus.PENDING,
            PaymentMethod.given_ref.is_not(None),
        )
    )
