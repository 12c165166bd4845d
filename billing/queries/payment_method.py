"""Reads of payment methods and of the ids under which providers know a profile."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.kernel.status import COLLECTABLE, OPEN_PAYMENT, MethodStatus
from billing.models import Invoice, Payment, PaymentMethod, Profile, ProviderAccount, ProviderCustomer


def the_method(session: Session, method_id: UUID) -> PaymentMethod:
    """The row of that id, unlocked. Raises `Refused` (`payment_method_not_found`)."""
    method = session.get(PaymentMethod, method_id, populate_existing=True)
    if method is None:
        raise Refused(Fault("payment_method", "payment_method_not_found", "give the id of a payment method"))
    return method


def lock_debts(session: Session, profile_id: UUID) -> None:
    """Lock what the customer's methods may be charged for, in id order, before any of these methods is taken.

    Whoever opens an attempt has its invoice first and then names the method: without this the two would wait for each
    other, or an attempt be opened with a method that has just gone. The caller holds the profile.
    """
    owed = select(Invoice.id).where(Invoice.profile_id == profile_id, Invoice.status.in_(COLLECTABLE))
    session.execute(owed.order_by(Invoice.id).with_for_update(key_share=True)).all()


def method_of_ref(session: Session, *, provider_account_id: UUID, method_ref: str) -> PaymentMethod | None:
    """The live row for a provider's method id."""
    return session.scalars(
        select(PaymentMethod).where(
            PaymentMethod.provider_account_id == provider_account_id,
            PaymentMethod.method_ref == method_ref,
            PaymentMethod.status != MethodStatus.DETACHED,
        )
    ).one_or_none()


def default_method(session: Session, profile_id: UUID) -> PaymentMethod | None:
    """The method that charges use, where the profile has an active one."""
    return session.scalars(
        select(PaymentMethod).where(PaymentMethod.profile_id == profile_id, PaymentMethod.is_default)
    ).one_or_none()


def default_kinds(session: Session, profiles: Collection[UUID]) -> dict[UUID, str]:
    """The kind of the default method of each of these profiles that has one."""
    query = select(PaymentMethod.profile_id, PaymentMethod.kind)
    rows = session.execute(query.where(PaymentMethod.profile_id.in_(profiles), PaymentMethod.is_default))
    return {row.profile_id: row.kind for row in rows}


def newest_active(session: Session, profile_id: UUID) -> PaymentMethod | None:
    """The active method that was added last."""
    return session.scalars(
        select(PaymentMethod)
        .where(PaymentMethod.profile_id == profile_id, PaymentMethod.status == MethodStatus.ACTIVE)
        .order_by(PaymentMethod.id.desc())
        .limit(1)
    ).one_or_none()


def has_payment_in_flight(session: Session, method_id: UUID) -> bool:
    """Whether an attempt with this method is still open."""
    query = select(Payment.id).where(Payment.payment_method_id == method_id, Payment.status.in_(OPEN_PAYMENT)).limit(1)
    return session.scalar(query) is not None


def customer_ref(session: Session, *, profile_id: UUID, provider_account_id: UUID) -> str | None:
    """The provider's id of the profile, where it has one at that account."""
    return session.scalar(
        select(ProviderCustomer.customer_ref).where(
            ProviderCustomer.profile_id == profile_id,
            ProviderCustomer.provider_account_id == provider_account_id,
            ProviderCustomer.deleted_at.is_(None),
        )
    )


def customers_deleted(session: Session, *, profile_id: UUID, provider_account_id: UUID) -> int:
    """How many customers of the profile were deleted at that account."""
    return (
        session.scalar(
            select(func.count()).where(
                ProviderCustomer.profile_id == profile_id,
                ProviderCustomer.provider_account_id == provider_account_id,
                ProviderCustomer.deleted_at.is_not(None),
            )
        )
        or 0
    )


def is_customer_gone(session: Session, *, provider_account_id: UUID, customer_ref: str | None) -> bool:
    """Whether we were told that the provider has deleted this customer."""
    query = select(ProviderCustomer.id).where(
        ProviderCustomer.provider_account_id == provider_account_id,
        ProviderCustomer.customer_ref == customer_ref,
        ProviderCustomer.deleted_at.is_not(None),
    )
    return session.scalars(query).first() is not None


def the_provider_account(session: Session, *, provider: str = "stripe", code: str = "default") -> ProviderAccount:
    """The account row. Raises `Refused` (`provider_account_not_found`) before its first start has pinned it."""
    query = select(ProviderAccount).where(ProviderAccount.provider == provider, ProviderAccount.code == code)
    account = session.scalars(query).one_or_none()
    if account is None:
        mend = f"set the key of the {provider} account {code} and run `billing check`"
        raise Refused(Fault("provider_account", "provider_account_not_found", mend))
    return account


def is_of_forgotten(session: Session, *, provider_account_id: UUID, customer_ref: str) -> bool:
    """Whether the provider's customer was that of a person who is erased."""
    query = (
        select(ProviderCustomer.id)
        .join(Profile, Profile.id == ProviderCustomer.profile_id)
        .where(
            ProviderCustomer.provider_account_id == provider_account_id,
            ProviderCustomer.customer_ref == customer_ref,
            Profile.erased_at.is_not(None),
        )
    )
    return session.scalars(query).first() is not None
