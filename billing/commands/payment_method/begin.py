"""Begin a payment method: its row stands, with the customer's consent, before the provider hears of it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.kernel.status import MethodStatus
from billing.models import PaymentMethod, Seller
from billing.queries.profile import lock_person
from billing.rules.debit import is_debit
from billing.validators.payment_method import Consent, check_consent


def begin_method(
    session: Session,
    *,
    method_id: UUID,
    profile_id: UUID,
    provider_account_id: UUID,
    kind: str,
    consent: Consent,
    now: datetime,
) -> PaymentMethod:
    """Write a pending method under the id given; a repeat with that id returns the row as it is.

    `kind` is what is asked for; what the provider then shows of the method decides.

    Raises `Refused`: the faults of `check_consent`, `profile_not_found`, `profile_erased`,
    `payment_method_id_taken`.
    """
    check_consent(consent, now=now)
    profile = lock_person(session, profile_id)
    row = insert(PaymentMethod).values(
        id=method_id,
        seller_id=profile.seller_id,
        profile_id=profile_id,
        provider_account_id=provider_account_id,
        kind=kind,
        notice_days=session.get_one(Seller, profile.seller_id).debit_notice_days if is_debit(kind) else None,
        status=MethodStatus.PENDING,
        is_default=False,
        consent_text_version=consent.text_version,
        consent_at=consent.given_at,
        consent_channel=consent.channel,
        version=1,
    )
    if session.get(PaymentMethod, method_id) is None:
        session.execute(row.on_conflict_do_nothing(index_elements=[PaymentMethod.id, PaymentMethod.seller_id]))
    method = session.get_one(PaymentMethod, method_id)
    if (method.profile_id, method.provider_account_id) != (profile_id, provider_account_id):
        raise Refused(Fault("payment_method", "payment_method_id_taken", "give an id that no other method has"))
    return method
