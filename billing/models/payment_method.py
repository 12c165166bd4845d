"""Payment method: what the provider may be asked to charge. Display details only; a card number never reaches us."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import SCHEMA, Base, SellerOwned, Versioned, one_of, owned


class PaymentMethod(SellerOwned, Versioned, Base):
    """A method of one profile at one provider account. While any is active, exactly one is the default (trigger)."""

    __tablename__ = "payment_method"

    profile_id: Mapped[UUID]
    provider_account_id: Mapped[UUID]
    kind: Mapped[str]
    status: Mapped[str]
    is_default: Mapped[bool] = mapped_column(default=False)
    method_ref: Mapped[str | None]
    """The provider's id; unknown while a set-up is pending."""
    given_ref: Mapped[str | None]
    """The id by which it was handed over; the provider may have given it another (`is_exchanged`)."""
    setup_ref: Mapped[str | None]
    mandate_ref: Mapped[str | None]
    mandate_reference: Mapped[str | None]
    """By which the bank of a debited account names the mandate to its holder."""
    notice_days: Mapped[int | None]
    """So many days before a debit its holder is told, as the consent says; null: as the seller does."""
    fingerprint: Mapped[str | None]
    brand: Mapped[str | None]
    last4: Mapped[str | None]
    exp_month: Mapped[int | None]
    exp_year: Mapped[int | None]
    funding: Mapped[str | None]
    issuing_country: Mapped[str | None]
    wallet: Mapped[str | None]
    consent_text_version: Mapped[str]
    consent_at: Mapped[datetime]
    consent_channel: Mapped[str]
    detach_due_at: Mapped[datetime | None]
    """Wall time from which the provider is told (again) that a removed method is not ours; null: it need not be."""

    __table_args__ = (
        owned("profile_id", "profile"),
        ForeignKeyConstraint(["provider_account_id"], [f"{SCHEMA}.provider_account.id"]),
        Index("ix_payment_method_profile_id", "profile_id"),
        Index("ix_payment_method_detach_due_at", "detach_due_at", postgresql_where=text("detach_due_at IS NOT NULL")),
        Index("uq_payment_method_default", "profile_id", unique=True, postgresql_where=text("is_default")),
        Index(
            "uq_payment_method_ref",
            "provider_account_id",
            "method_ref",
            unique=True,
            postgresql_where=text("status <> 'detached'"),
        ),
        Index("uq_payment_method_setup_ref", "provider_account_id", "setup_ref", unique=True),
        one_of("status", ("pending", "active", "detached")),
        CheckConstraint("NOT is_default OR status = 'active'", name="default_is_active"),
        CheckConstraint("status <> 'active' OR method_ref IS NOT NULL", name="active_has_ref"),
        CheckConstraint("last4 ~ '^[0-9]{4}$'", name="last4_shape"),
    )
