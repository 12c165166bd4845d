"""Remove a method: it is never charged again. Where it was the default, the newest other one takes its place."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.expected_version import require_version
from billing.commands.payment_method.make_default import put_default
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.errors import Fault, Refused
from billing.kernel.moves import require_move
from billing.kernel.status import MethodStatus
from billing.models import PaymentMethod
from billing.queries.payment_method import has_payment_in_flight, newest_active, the_method
from billing.queries.profile import lock_profile


def remove_method(
    session: Session, *, method_id: UUID, now: datetime, expected_version: int | None = None
) -> PaymentMethod:
    """Mark it detached; a repeat changes nothing. The provider is told afterwards, by the flow.

    Raises `Refused`: `payment_method_not_found`, `payment_in_flight` while an attempt with it is open (its outcome may
    have to be asked for with the same method); `Stale`.
    """
    method = the_method(session, method_id)
    lock_profile(session, method.profile_id)
    session.refresh(method, with_for_update=True)
    if method.status == MethodStatus.DETACHED:
        return method
    require_version(method, expected_version)
    if has_payment_in_flight(session, method_id):
        raise Refused(Fault("payment_method", "payment_in_flight", "wait until the running payment has an outcome"))
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
    return method
