"""Remove a method: it is never charged again. Where it was the default, the newest other one takes its place."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.expected_version import require_version
from billing.commands.payment_method.owe_detachment import owe_detachment
from billing.commands.payment_method.take_off import take_off
from billing.kernel.errors import Fault, Refused
from billing.kernel.status import MethodStatus
from billing.models import PaymentMethod
from billing.queries.payment_method import has_payment_in_flight, lock_debts, the_method
from billing.queries.profile import lock_profile


def remove_method(
    session: Session, *, method_id: UUID, now: datetime, expected_version: int | None = None
) -> PaymentMethod:
    """Mark it detached; a repeat changes nothing. The provider is told afterwards: that it must be stands on the row.

    Raises `Refused`: `payment_method_not_found`, `payment_in_flight` while an attempt with it is open (its outcome may
    have to be asked for with the same method); `Stale`.
    """
    method = the_method(session, method_id)
    lock_profile(session, method.profile_id)
    lock_debts(session, method.profile_id)
    session.refresh(method, with_for_update=True)
    if method.status == MethodStatus.DETACHED:
        return method
    require_version(method, expected_version)
    if has_payment_in_flight(session, method_id):
        raise Refused(Fault("payment_method", "payment_in_flight", "wait until the running payment has an outcome"))
    take_off(session, method=method, now=now)
    if method.method_ref or method.setup_ref or method.given_ref:
        owe_detachment(session, method=method)
    return method
