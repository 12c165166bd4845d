"""Note what the provider answered while a method is being set up: the customer's id, the set-up's id."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_id
from billing.kernel.status import MethodStatus
from billing.models import PaymentMethod, Profile, ProviderCustomer
from billing.queries.payment_method import customer_ref as known_ref


def note_customer(session: Session, *, profile: Profile, provider_account_id: UUID, customer_ref: str) -> None:
    """Write the provider's id of the profile; a repeat changes nothing.

    Raises `Refused` (`provider_customer_differs`) where the profile is known there under another id, or another profile
    under this one.
    """
    row = insert(ProviderCustomer).values(
        id=new_id(),
        seller_id=profile.seller_id,
        profile_id=profile.id,
        provider_account_id=provider_account_id,
        customer_ref=customer_ref,
    )
    session.execute(row.on_conflict_do_nothing())
    if known_ref(session, profile_id=profile.id, provider_account_id=provider_account_id) != customer_ref:
        mend = "a profile has one customer at a provider account, and a customer one profile"
        raise Refused(Fault("provider_customer_id", "provider_customer_differs", mend))


def note_setup(session: Session, *, method: PaymentMethod, setup_ref: str) -> None:
    """Write the set-up's id on a pending method. After the key's life a repeat begins another: the newest counts.

    Raises `Refused` (`payment_method_not_pending`) where it was set up, or removed, meanwhile: nobody gets the set-up,
    or what came of it would be stored at the provider, and known to nobody here.
    """
    session.refresh(method, with_for_update=True)
    if method.status != MethodStatus.PENDING:
        mend = "it was set up or removed meanwhile; begin another"
        raise Refused(Fault("payment_method", "payment_method_not_pending", mend))
    method.setup_ref = setup_ref
    session.flush()
