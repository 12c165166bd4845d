"""Take a method off a profile, whoever decided that: its row stays, and the newest other one becomes the default."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.commands.payment_method.make_default import put_default
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.moves import require_move
from billing.kernel.status import MethodStatus
from billing.models import PaymentMethod
from billing.queries.payment_method import newest_active


def take_off(session: Session, *, method: PaymentMethod, now: datetime) -> None:
    """Mark it detached. The caller holds the locks of the profile and the method, in that order, and it is not yet."""
    require_move(MethodStatus(method.status), MethodStatus.DETACHED)
    was_default = method.is_default
    method.status = MethodStatus.DETACHED
    method.is_default = False
    session.flush()
    emit(
        session,
        topic=Topic.PAYMENT_METHOD_REMOVED,
        object_type="payment_method",
        object_id=method.id,
        seller_id=method.seller_id,
        now=now,
        payload={"profile_id": str(method.profile_id)},
    )
    successor = newest_active(session, method.profile_id) if was_default else None
    if successor is not None:
        put_default(session, method=successor, now=now)
