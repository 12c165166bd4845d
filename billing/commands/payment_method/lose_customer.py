"""Lose a customer: the provider has deleted it, and with it every method that was stored there."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.payment_method.lose import lose_methods
from billing.kernel.status import MethodStatus
from billing.models import PaymentMethod, ProviderCustomer
from billing.queries.profile import lock_profile


def lose_customer(session: Session, *, provider_account_id: UUID, customer_ref: str, now: datetime) -> bool:
    """Mark the customer deleted, and its methods detached; a repeat changes nothing. False where it is none of ours.

    The row stays, for the charges that it had; the profile's next method makes another customer.
    """
    query = select(ProviderCustomer).where(
        ProviderCustomer.provider_account_id == provider_account_id, ProviderCustomer.customer_ref == customer_ref
    )
    customer = session.scalars(query).one_or_none()
    if customer is None:
        return False
    lock_profile(session, customer.profile_id)
    session.refresh(customer)
    if customer.deleted_at is None:
        methods = session.scalars(
            select(PaymentMethod.id).where(
                PaymentMethod.profile_id == customer.profile_id,
                PaymentMethod.provider_account_id == provider_account_id,
                PaymentMethod.status == MethodStatus.ACTIVE,
            )
        ).all()
        lose_methods(session, profile_id=customer.profile_id, method_ids=methods, now=now)
        customer.deleted_at = now
        session.flush()
    return True
