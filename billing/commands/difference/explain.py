"""Explain a charge: an attempt or unapplied money claims it now, so what was noted of it has no cause any more."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.difference.resolve import resolve_difference
from billing.models import Difference
from billing.queries.differences import UNCLAIMED


def explain_charge(session: Session, *, provider_account_id: UUID, charge_ref: str, now: datetime) -> None:
    """Resolve the differences that said nobody claims it, with their work items. The caller holds the invoice's row."""
    open_ones = select(Difference.id).where(
        Difference.provider_account_id == provider_account_id,
        Difference.kind.in_(UNCLAIMED),
        Difference.object_ref == charge_ref,
        Difference.resolved_at.is_(None),
    )
    for difference_id in session.scalars(open_ones).all():
        resolve_difference(session, difference_id=difference_id, now=now)
