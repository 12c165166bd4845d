"""Refund: money sent back to the method that paid, a state machine of its own; and money that came another way."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import SCHEMA, Base, Minor, SellerOwned, Versioned, currency_shape, one_of, owned
from billing.kernel.status import OPEN_REFUND, SETTLED_BY_DISPUTE, RefundStatus, SettledAs
from billing.models.payment import HELD

_OPEN = ", ".join(f"'{status}'" for status in sorted(OPEN_REFUND))


class Refund(SellerOwned, Versioned, Base):
    """Reserved before the call; its id is its key (DECISIONS 29). Of a note, a payout, or money kept apart."""

    __tablename__ = "refund"

    invoice_id: Mapped[UUID]
    payment_id: Mapped[UUID | None]
    """The payment that it is a part of; null where it is of money kept apart."""
    unapplied_payment_id: Mapped[UUID | None]
    credit_note_id: Mapped[UUID | None]
    """Its credit note; null where a customer's balance is paid out, which had its documents before, or kept apart."""
    profile_id: Mapped[UUID]
    provider_account_id: Mapped[UUID]
    charge_ref: Mapped[str]
    amount_minor: Mapped[Minor]
    currency: Mapped[str]
    opened_at: Mapped[datetime]

    status: Mapped[str]
    token: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    first_sent_at: Mapped[datetime | None]
    """Business time of the first sending: the age of the key."""
    next_check_at: Mapped[datetime | None]
    """Wall time of the next sending, or of the next question to the provider."""
    checks: Mapped[int] = mapped_column(default=0)
    key_no: Mapped[int] = mapped_column(default=1, server_default=text("1"))
    """Which key it is sent under. A next one only once the refund of the one before is proven absent."""
    absent_lists: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """Complete lists of its charge's refunds that did not show it, after its sending was over."""
    refund_ref: Mapped[str | None]
    reason: Mapped[str | None]
    closed_at: Mapped[datetime | None]
    settled_as: Mapped[str | None]
    """What became of the money of one that failed, by a person or a lost dispute; null while it is owed."""
    settled_at: Mapped[datetime | None]
    settled_reference: Mapped[str | None]
    """The reason of the order: what the bank or till calls the payment; or the provider's id of the dispute."""

    @property
    def key(self) -> str:
        """The idempotency key of its present sending."""
        return f"refund-{self.id}" if self.key_no == 1 else f"refund-{self.id}-{self.key_no}"

    __table_args__ = (
        owned("invoice_id", "invoice"),
        owned("payment_id", "payment"),
        owned("unapplied_payment_id", "unapplied_payment"),
        owned("credit_note_id", "invoice", deferred=True),
        owned("profile_id", "profile"),
        ForeignKeyConstraint(["provider_account_id"], [f"{SCHEMA}.provider_account.id"]),
        UniqueConstraint("credit_note_id", "payment_id"),
        Index("uq_refund_ref", "provider_account_id", "refund_ref", unique=True),
        Index("ix_refund_invoice_id", "invoice_id"),
        Index("ix_refund_payment_id", "payment_id"),
        Index(
            "ix_refund_unapplied_payment_id",
            "unapplied_payment_id",
            postgresql_where=text("unapplied_payment_id IS NOT NULL"),
        ),
        Index("ix_refund_held", "provider_account_id", "closed_at", postgresql_where=text(HELD)),
        Index("ix_refund_open_check", "next_check_at", postgresql_where=text(f"status IN ({_OPEN})")),
        one_of("status", tuple(RefundStatus)),
        currency_shape(),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("(payment_id IS NULL) <> (unapplied_payment_id IS NULL)", name="of_one_source"),
        CheckConstraint("key_no > 0 AND absent_lists >= 0", name="keys_counted"),
        CheckConstraint(f"(status IN ({_OPEN})) = (closed_at IS NULL)", name="closed_when_ended"),
        one_of("settled_as", (*SettledAs, SETTLED_BY_DISPUTE)),
        CheckConstraint(
            "(settled_as IS NULL) = (settled_at IS NULL) AND (settled_as IS NULL) = (settled_reference IS NULL) "
            "AND (settled_as IS NULL OR status IN ('failed', 'canceled'))",
            name="settled_if_failed",
        ),
    )


class ExternalPayment(SellerOwned, Base):
    """Money for an invoice that came past the provider: by transfer, cash, offset. Append-only (trigger)."""

    __tablename__ = "external_payment"

    invoice_id: Mapped[UUID]
    profile_id: Mapped[UUID]
    amount_minor: Mapped[Minor]
    currency: Mapped[str]
    reference: Mapped[str]
    received_at: Mapped[datetime]

    __table_args__ = (
        owned("invoice_id", "invoice"),
        owned("profile_id", "profile"),
        Index("ix_external_payment_invoice_id", "invoice_id"),
        currency_shape(),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
    )
