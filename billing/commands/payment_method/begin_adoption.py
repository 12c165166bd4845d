"""Begin to adopt a method that was made elsewhere: its row stands before the provider binds it to the customer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from billing.commands.payment_method.begin import begin_method
from billing.db.clock import wall_now
from billing.kernel.ids import new_id
from billing.kernel.kinds import KINDS_OF
from billing.kernel.status import MethodStatus
from billing.models import PaymentMethod, ProviderAccount
from billing.queries.profile import lock_person
from billing.validators.payment_method import Consent, check_consent, is_exchanged

COME_BACK = timedelta(hours=1)
"""So long whoever dies over an id that is exchanged may come back. After the life of the call's key nobody would find
again what the provider has made of it."""


class Begun(NamedTuple):
    """The method's row. Unless it `is_new` the provider may have been asked to bind the method before."""

    method: PaymentMethod
    is_new: bool


def begin_adoption(
    session: Session,
    *,
    profile_id: UUID,
    provider_account_id: UUID,
    method_ref: str,
    method_id: UUID | None,
    consent: Consent,
    now: datetime,
) -> Begun:
    """A pending row with the id by which the method is handed over, so that whoever forgets its customer finds it.

    A repeat finds the same row: by `method_id`, without one by what was handed over. Raises `Refused` as `begin_method`
    does.
    """
    check_consent(consent, now=now)
    lock_person(session, profile_id)
    same = PaymentMethod.method_ref == method_ref
    there = session.scalars(
        select(PaymentMethod)
        .where(
            PaymentMethod.profile_id == profile_id,
            PaymentMethod.provider_account_id == provider_account_id,
            PaymentMethod.status != MethodStatus.DETACHED,
            same if method_id is not None else or_(same, PaymentMethod.given_ref == method_ref),
        )
        .order_by(PaymentMethod.id.desc())
        .limit(1)
    ).one_or_none()
    if there is not None:
        return Begun(there, is_new=False)
    method = begin_method(
        session,
        method_id=method_id or new_id(),
        profile_id=profile_id,
        provider_account_id=provider_account_id,
        kind=KINDS_OF[session.get_one(ProviderAccount, provider_account_id).provider][0],
        consent=consent,
        now=now,
    )
    is_new = method.status == MethodStatus.PENDING and method.given_ref is None
    if is_new:
        method.given_ref = method_ref
        method.detach_due_at = wall_now(session) + COME_BACK if is_exchanged(method_ref) else None
        session.flush()
    return Begun(method, is_new)
