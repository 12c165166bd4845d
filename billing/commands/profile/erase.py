"""Erase a customer: their data key is deleted, what else names them is blanked. Documents stay, under their own key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from billing.commands.credit.write_off import write_off_carried_forward
from billing.commands.payment_method.remove import remove_method
from billing.commands.profile.email_index import NONE
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.errors import Fault, Refused
from billing.kernel.status import MethodStatus
from billing.models import DataKey, Payment, PaymentMethod, Profile
from billing.queries.erasing import obstacles

_FORGET_MANDATES = text(
    """
    UPDATE billing.notice n SET facts = n.facts - 'mandate_reference', version = n.version + 1,
           updated_at = clock_timestamp()
    FROM billing.invoice i
    WHERE i.profile_id = :profile AND n.invoice_id = i.id AND n.kind = 'debit_upcoming'
    """
)
"""A bank's reference leads to the account's holder. Found by their invoices."""
_FORGET_SCOPES = text(
    """
    UPDATE billing.work_item w
    SET summary = regexp_replace(replace(w.summary, 'customer ' || :account || ' by ', 'customer  by '),
                                 'customer .*? ?by ', 'customer ' || w.profile_id || ' by '),
        version = w.version + 1, updated_at = clock_timestamp()
    WHERE w.profile_id = :profile AND w.subject_type = 'brake'
      AND position('customer ' || w.profile_id IN w.summary) = 0
    """
)
"""Items of brakes named the account of the host application until migration 0059."""


def erase_profile(session: Session, *, profile: Profile, now: datetime) -> bool:
    """Forget the person of a locked profile; False where that is done already.

    A repeat still looks at the work items of their brakes, which releases before 0059 had left as they were. Without
    its key the sealed part is noise wherever a copy of it lies, backups too; it is emptied all the same. Raises
    `Refused` with everything that is still open: `subscription_open`, `money_outstanding`, `payment_in_flight`,
    `refund_in_flight`, `money_kept_apart`, `credit_left`, `dispute_open`. What was carried forward to a next invoice,
    which there won't be, is written off. Their payment methods are removed, also those that were begun: else one would
    be completed, and shown, after its customer was forgotten. The provider is told of them afterwards.
    """
    if profile.erased_at is not None:
        _forget_scopes(session, profile)
        return False
    faults = [Fault(field, code, mend) for field, code, mend in obstacles(session, profile.id)]
    if faults:
        raise Refused(faults)
    for method_id in _methods_left(session, profile.id):
        remove_method(session, method_id=method_id, now=now)
    write_off_carried_forward(session, profile_id=profile.id, now=now)
    session.execute(delete(DataKey).where(DataKey.purpose == "profile", DataKey.owner_id == profile.id))
    session.execute(_FORGET_MANDATES, {"profile": profile.id})
    _forget_scopes(session, profile)
    session.execute(
        update(PaymentMethod)
        .where(PaymentMethod.profile_id == profile.id)
        .values(
            fingerprint=None,
            mandate_reference=None,
            brand=None,
            last4=None,
            exp_month=None,
            exp_year=None,
            funding=None,
            issuing_country=None,
            wallet=None,
            mandate_ref=None,
            version=PaymentMethod.version + 1,
        )
    )
    cards = (Payment.profile_id == profile.id, Payment.card_fingerprint.is_not(None))
    session.execute(update(Payment).where(*cards).values(card_fingerprint=None, version=Payment.version + 1))
    profile.personal = b""
    profile.email_index = NONE
    profile.account_id = f"erased-{profile.id}"
    profile.timezone = "UTC"
    profile.tax_id_check = None
    profile.tax_id_ask_at = None
    profile.has_tax_id = False
    profile.link_epoch += 1
    profile.erased_at = now
    session.flush()
    emit(
        session,
        topic=Topic.PROFILE_ERASED,
        object_type="profile",
        object_id=profile.id,
        seller_id=profile.seller_id,
        now=now,
    )
    return True


def _methods_left(session: Session, profile_id: UUID) -> Sequence[UUID]:
    """The default is the last, so that none of the others becomes it meanwhile."""
    return session.scalars(
        select(PaymentMethod.id)
        .where(PaymentMethod.profile_id == profile_id, PaymentMethod.status != MethodStatus.DETACHED)
        .order_by(PaymentMethod.is_default, PaymentMethod.id)
    ).all()


def _forget_scopes(session: Session, profile: Profile) -> None:
    session.execute(_FORGET_SCOPES, {"profile": profile.id, "account": profile.account_id})
