"""Lose methods: the provider has them no more, or nobody may charge them any more. It asks nobody here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.payment_method.take_off import take_off
from billing.kernel.status import MethodStatus
from billing.models import PaymentMethod
from billing.queries.payment_method import lock_debts
from billing.queries.profile import lock_profile


def lose_methods(session: Session, *, profile_id: UUID, method_ids: Sequence[UUID], now: datetime) -> int:
    """Mark these methods of the profile detached; a repeat changes nothing. Returns how many were not before.

    Also while an attempt with one is open: that goes on with what was frozen for it.
    """
    lock_profile(session, profile_id)
    lock_debts(session, profile_id)
    rows = session.scalars(
        select(PaymentMethod)
        .where(
            PaymentMethod.id.in_(method_ids),
            PaymentMethod.profile_id == profile_id,
            PaymentMethod.status != MethodStatus.DETACHED,
        )
        # The default comes last, so that no other one that is lost too takes its place meanwhile.
        .order_by(PaymentMethod.is_default, PaymentMethod.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    for method in rows:
        take_off(session, method=method, now=now)
    return len(rows)
