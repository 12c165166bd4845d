"""Write on a removed method that the provider is still to be told, or that it was."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.orm import Session

from billing.db.clock import wall_now
from billing.models import PaymentMethod

SOON = timedelta(minutes=2)
"""Whoever removes a method tells the provider at once. After so long the sweep does it in their place."""


def owe_detachment(session: Session, *, method: PaymentMethod) -> None:
    """The provider is to be told of this method, which is detached here. A repeat puts the sweep off."""
    method.detach_due_at = wall_now(session) + SOON
    session.flush()


def note_detachment(
    session: Session, *, method_id: UUID, again_at: datetime | None, method_ref: str | None = None
) -> None:
    """Told, where `again_at` is None; else the sweep tells it again from that wall time on.

    `method_ref`: what the provider held, where its id had not been known here.
    """
    values = {"detach_due_at": again_at, "version": PaymentMethod.version + 1, "updated_at": func.clock_timestamp()}
    session.execute(
        update(PaymentMethod)
        .where(PaymentMethod.id == method_id, PaymentMethod.detach_due_at.is_distinct_from(again_at))
        .values(values | {"method_ref": func.coalesce(PaymentMethod.method_ref, method_ref)})
        .execution_options(synchronize_session=False)
    )
