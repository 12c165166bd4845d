"""Payment: one attempt to move money, committed before the provider hears of it; its id is the idempotency key."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import SCHEMA, Base, Json, Minor, SellerOwned, Versioned, currency_shape, one_of, owned
from billing.kernel.status import OPEN_PAYMENT, PaymentKind, PaymentStatus
from billing.privacy.logging import correlation

_OPEN = ", ".join(f"'{status}'" for status in sorted(OPEN_PAYMENT))
BROUGHT_NOTHING = "'declined', 'sent', 'unknown'"
"""SQL list of the states of a try that was sent and, as far as is known, moved no money."""
HELD = "status = 'succeeded' AND closed_at - first_sent_at >= '01:00:00'::interval"
"""SQL, of a payment or a refund: the provider held it for long before the money moved."""


class PaymentIntent(SellerOwned, Versioned, Base):
    """The provider's one intent for an invoice. A successor (generation n+1) only after a proven canceled one."""

    __tablename__ = "payment_intent"

    invoice_id: Mapped[UUID]
    provider_account_id: Mapped[UUID]
    generation: Mapped[int]
    intent_ref: Mapped[str | None]
    """Null until the provider's first answer."""
    status: Mapped[str] = mapped_column(default="open")
    """Spent: it moved money that was kept apart, so it is not the invoice's payment and takes no other try."""

    __table_args__ = (
        owned("invoice_id", "invoice"),
        ForeignKeyConstraint(["provider_account_id"], [f"{SCHEMA}.provider_account.id"]),
        UniqueConstraint("invoice_id", "provider_account_id", "generation"),
        Index("uq_payment_intent_ref", "provider_account_id", "intent_ref", unique=True),
        # At most one intent of an invoice may still move money, whatever the generation.
        Index(
            "uq_payment_intent_live",
            "invoice_id",
            unique=True,
            postgresql_where=text("status IN ('open', 'succeeded')"),
        ),
        one_of("status", ("open", "succeeded", "spent", "canceled", "absent")),
    )


class Payment(SellerOwned, Versioned, Base):
    """One attempt. Its parameters are frozen; lease and token (wall time) fence every later write."""

    __tablename__ = "payment"

    invoice_id: Mapped[UUID]
    profile_id: Mapped[UUID]
    attempt_no: Mapped[int]
    kind: Mapped[str]
    """How it came about: by us, with the customer at hand, or adopted: money that came without our asking."""
    scheduled: Mapped[bool]
    """True where the dunning schedule asked for it; a manual try or a new method's try is outside the budget."""
    provider_account_id: Mapped[UUID]
    payment_method_id: Mapped[UUID]
    payment_intent_id: Mapped[UUID]
    customer_ref: Mapped[str]
    method_ref: Mapped[str]
    method_kind: Mapped[str | None]
    """Of the method, as it is told to the provider; null for a card whose intent was told of no other kind. Frozen."""
    card_fingerprint: Mapped[str | None]
    """The provider's name of the card itself, whichever method stood for it: networks count by card."""
    amount_minor: Mapped[Minor]
    currency: Mapped[str]
    confirms_ref: Mapped[str | None]
    """The intent that this attempt confirms; null where it creates one too. Frozen: a replay says the same."""
    spent_before: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """Intents of the invoice at this account that had moved money which is kept apart. Frozen, as above."""
    noted_charge_ref: Mapped[str | None]
    """The intent's latest charge when this attempt was opened: evidence of this attempt is a later one."""
    revived: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """True where this database had lost it and has it back from the provider: then the rest may be older than it."""
    opened_at: Mapped[datetime]
    correlation_id: Mapped[UUID | None] = mapped_column(default=correlation)
    """Of the run that opened it, such as a beat tick's: all that is logged about it later bears the same id."""

    status: Mapped[str]
    token: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    first_sent_at: Mapped[datetime | None]
    """Business time of the first sending: the age of the key."""
    next_check_at: Mapped[datetime | None]
    """Wall time of the next question to the provider."""
    checks: Mapped[int] = mapped_column(default=0)
    absent_lists: Mapped[int] = mapped_column(default=0)
    """Complete lists, after the key's life, that did not show this attempt. Two prove that nothing moved."""
    charge_ref: Mapped[str | None]
    decline_code: Mapped[str | None]
    advice_code: Mapped[str | None]
    reason: Mapped[str | None]
    evidence: Mapped[Json | None]
    closed_at: Mapped[datetime | None]

    __table_args__ = (
        owned("invoice_id", "invoice"),
        owned("profile_id", "profile"),
        owned("payment_method_id", "payment_method"),
        owned("payment_intent_id", "payment_intent"),
        ForeignKeyConstraint(["provider_account_id"], [f"{SCHEMA}.provider_account.id"]),
        UniqueConstraint("invoice_id", "attempt_no"),
        Index("uq_payment_open", "invoice_id", unique=True, postgresql_where=text(f"status IN ({_OPEN})")),
        Index("uq_payment_charge_ref", "provider_account_id", "charge_ref", unique=True),
        Index("ix_payment_profile_id", "profile_id"),
        # Lists of the API go by seller, newest first; the mass of what succeeded is found at once in any case.
        Index("ix_payment_listed", "seller_id", "id"),
        Index("ix_payment_unsettled", "seller_id", "status", "id", postgresql_where=text("status <> 'succeeded'")),
        Index(
            "ix_payment_failed",
            "status",
            "id",
            postgresql_where=text("status IN ('declined', 'canceled', 'not_sent')"),
        ),
        Index(
            "ix_payment_card_tries",
            "provider_account_id",
            "card_fingerprint",
            "first_sent_at",
            postgresql_where=text(f"card_fingerprint IS NOT NULL AND status IN ({BROUGHT_NOTHING})"),
        ),
        Index("ix_payment_held", "provider_account_id", "closed_at", postgresql_where=text(HELD)),
        Index("ix_payment_open_check", "next_check_at", postgresql_where=text(f"status IN ({_OPEN})")),
        one_of("kind", tuple(PaymentKind)),
        one_of("status", tuple(PaymentStatus)),
        currency_shape(),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("attempt_no > 0", name="attempt_no_positive"),
        CheckConstraint("status <> 'succeeded' OR charge_ref IS NOT NULL", name="succeeded_has_charge"),
        CheckConstraint(
            f"(status IN ({_OPEN})) = (closed_at IS NULL)",
            name="closed_when_ended",
        ),
        CheckConstraint(
            "first_sent_at IS NOT NULL OR kind = 'adopted' OR status IN ('prepared', 'not_sent', 'canceled')",
            name="sent_has_age",
        ),
    )


class ProviderWrite(SellerOwned, Base):
    """Every outgoing write of an attempt: (attempt, step) and key are one to one, under one parameter hash."""

    __tablename__ = "provider_write"

    payment_id: Mapped[UUID]
    step: Mapped[str]
    key: Mapped[str]
    parameter_hash: Mapped[str]

    __table_args__ = (
        owned("payment_id", "payment"),
        UniqueConstraint("payment_id", "step"),
        UniqueConstraint("key"),
        CheckConstraint("step IN ('charge', 'update', 'cancel') OR step ~ '^cancel_[2-9]$'", name="step_known"),
    )


class UnappliedPayment(SellerOwned, Versioned, Base):
    """Money that came without an open debt to meet it. Booked at once; a work item says what may be done with it."""

    __tablename__ = "unapplied_payment"

    invoice_id: Mapped[UUID | None]
    provider_account_id: Mapped[UUID]
    charge_ref: Mapped[str]
    amount_minor: Mapped[Minor]
    currency: Mapped[str]
    status: Mapped[str] = mapped_column(default="held")
    """Refunded: none of it is kept apart any more. It was sent back, settled another way, or taken by a dispute."""
    gone_minor: Mapped[Minor] = mapped_column(default=0, server_default=text("0"))
    """What of it is not kept apart any more: it has left us, is on its way back, or was settled another way."""

    @property
    def left_minor(self) -> int:
        """What of it we still hold."""
        return self.amount_minor - self.gone_minor

    __table_args__ = (
        owned("invoice_id", "invoice"),
        ForeignKeyConstraint(["provider_account_id"], [f"{SCHEMA}.provider_account.id"]),
        UniqueConstraint("provider_account_id", "charge_ref"),
        Index("ix_unapplied_payment_invoice_id", "invoice_id", postgresql_where=text("invoice_id IS NOT NULL")),
        one_of("status", ("held", "refunded", "applied")),
        currency_shape(),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("gone_minor BETWEEN 0 AND amount_minor", name="gone_within"),
    )
