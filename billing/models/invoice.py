"""Invoice: the document, frozen once it is numbered (trigger), and the state of its collection, which moves."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import SCHEMA, Base, Json, JsonList, Minor, SellerOwned, Versioned, currency_shape, one_of, owned
from billing.kernel.status import InvoiceStatus


class Invoice(SellerOwned, Versioned, Base):
    """A document of a series. Amounts are minor units of `currency`; both parties are sealed under a document key."""

    __tablename__ = "invoice"

    # What the law freezes at issue.
    profile_id: Mapped[UUID]
    subscription_id: Mapped[UUID | None]
    kind: Mapped[str]
    series_id: Mapped[UUID | None]
    series_no: Mapped[int | None]
    number: Mapped[str | None]
    issued_at: Mapped[datetime | None]
    currency: Mapped[str]
    period_start: Mapped[datetime | None]
    period_end: Mapped[datetime | None]
    subtotal_minor: Mapped[Minor]
    discount_minor: Mapped[Minor]
    tax_minor: Mapped[Minor]
    total_minor: Mapped[Minor]
    credit_applied_minor: Mapped[Minor]
    brought_forward_minor: Mapped[Minor] = mapped_column(default=0, server_default=text("0"))
    """What earlier invoices asked for and was too little to be charged: due with this one, and no part of its total."""
    amount_due_minor: Mapped[Minor]
    tax_groups: Mapped[JsonList]
    reverse_charge: Mapped[bool]
    legal_notes: Mapped[list[str]]
    buyer_country: Mapped[str]
    buyer_kind: Mapped[str]
    parties: Mapped[bytes]
    document_key_id: Mapped[UUID]
    content_hash: Mapped[bytes]
    due_at: Mapped[datetime | None]
    corrects_id: Mapped[UUID | None]
    seller_tax: Mapped[Json | None]
    """Tax in the seller's currency with rate, source and date, for a foreign one (Directive 2006/112/EC art. 230)."""

    # What happens to the debt.
    status: Mapped[str]
    collection: Mapped[str]
    amount_paid_minor: Mapped[Minor] = mapped_column(default=0)
    amount_refunded_minor: Mapped[Minor] = mapped_column(default=0)
    amount_credited_minor: Mapped[Minor] = mapped_column(default=0, server_default=text("0"))
    """What credit notes took off the debt before it was paid."""
    amount_returned_minor: Mapped[Minor] = mapped_column(default=0, server_default=text("0"))
    """What credit notes gave into the customer's balance after it was paid."""
    amount_carried_forward_minor: Mapped[Minor] = mapped_column(default=0, server_default=text("0"))
    """What was too little to be charged, and is asked for by the customer's next invoice."""
    amount_remaining_minor: Mapped[Minor]
    paid_at: Mapped[datetime | None]
    next_attempt_at: Mapped[datetime | None]
    """Business time of the next try; null while an attempt is open or nothing more is to be tried."""
    charge_not_before: Mapped[datetime | None]
    """Wall time before which a technical back-off forbids a sending."""
    dunning_step: Mapped[int] = mapped_column(default=0)
    """Scheduled retries used so far; the first try is step 0."""
    dunning_at: Mapped[datetime | None]
    """When the last scheduled try was made, from which the next delay counts; null before the first."""
    on_schedule: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    """False: issued uncharged, of an unpaid or ended subscription. A try outside the schedule doesn't start it."""
    extra_try: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """The next try was asked for by a new method or a person: it neither uses nor moves the schedule."""
    waits_for_method: Mapped[bool] = mapped_column(default=False)
    """After a hard decline the schedule goes on counting without charging until a new method comes."""
    falls_back_to: Mapped[UUID | None]
    """The method of the next try, and of the one under way, where it is not the default: which was declined."""
    card_limit_until: Mapped[datetime | None]
    """Business time until which a card network's limit holds the next try back; null where none does."""
    final_decision: Mapped[str | None]
    hold_id: Mapped[UUID | None]
    review_until: Mapped[datetime | None]
    """Business time until which a draft may be edited before it is issued."""

    __table_args__ = (
        owned("profile_id", "profile"),
        owned("subscription_id", "subscription"),
        owned("series_id", "series"),
        owned("corrects_id", "invoice"),
        ForeignKeyConstraint(["document_key_id"], [f"{SCHEMA}.data_key.id"]),
        UniqueConstraint("series_id", "series_no"),
        # By status: what a customer owes is looked up at each try, however much they have paid.
        Index("ix_invoice_profile_id", "profile_id", "status"),
        # Lists of the API go by seller and kind, newest first; the mass of what is paid is found at once in any case.
        Index("ix_invoice_listed", "seller_id", "kind", "id"),
        Index(
            "ix_invoice_unsettled",
            "seller_id",
            "status",
            "id",
            postgresql_where=text("kind = 'invoice' AND status <> 'paid'"),
        ),
        Index("ix_invoice_subscription_id", "subscription_id"),
        Index("ix_invoice_corrects_id", "corrects_id", postgresql_where=text("corrects_id IS NOT NULL")),
        Index(
            "ix_invoice_unpaid",
            "status",
            "id",
            postgresql_where=text("status NOT IN ('paid', 'credited', 'refunded')"),
        ),
        Index("ix_invoice_review", "review_until", postgresql_where=text("status = 'draft'")),
        Index(
            "ix_invoice_given_up",
            "id",
            postgresql_where=text("status = 'open' AND final_decision IS NOT NULL AND next_attempt_at IS NULL"),
        ),
        Index(
            "ix_invoice_due",
            "status",
            "next_attempt_at",
            postgresql_where=text("status IN ('open', 'draft') AND next_attempt_at IS NOT NULL AND hold_id IS NULL"),
        ),
        one_of("kind", ("invoice", "credit_note", "cancellation")),
        one_of("status", tuple(InvoiceStatus)),
        one_of("collection", ("automatic", "send_invoice")),
        one_of("final_decision", ("cancel", "unpaid", "keep")),
        currency_shape(),
        CheckConstraint(
            "(number IS NULL) = (status IN ('draft', 'expired')) "
            "AND num_nulls(number, series_id, series_no, issued_at) IN (0, 4)",
            name="numbered_when_issued",
        ),
        CheckConstraint(
            "total_minor >= 0 AND credit_applied_minor >= 0 AND amount_paid_minor >= 0 "
            "AND amount_refunded_minor >= 0 AND amount_remaining_minor >= 0 "
            "AND amount_credited_minor >= 0 AND amount_returned_minor >= 0 AND brought_forward_minor >= 0 "
            "AND amount_carried_forward_minor >= 0",
            name="amounts_not_negative",
        ),
        CheckConstraint(
            "amount_due_minor = CASE kind WHEN 'invoice' THEN total_minor + brought_forward_minor "
            "- credit_applied_minor ELSE 0 END",
            name="amount_due_adds_up",
        ),
        CheckConstraint("kind = 'invoice' OR status IN ('credited', 'refunded')", name="note_status"),
        CheckConstraint("amount_remaining_minor <= amount_due_minor", name="remaining_within_due"),
        CheckConstraint("status <> 'paid' OR amount_remaining_minor = 0", name="paid_is_settled"),
        CheckConstraint("status IN ('open', 'draft') OR next_attempt_at IS NULL", name="tried_only_while_open"),
        {"postgresql_with": {"fillfactor": "85"}},
    )

    @property
    def named(self) -> str:
        """What a person finds it by: its number, or the id of a draft."""
        return self.number or str(self.id)


class InvoiceLine(SellerOwned, Base):
    """One line, and how it came about: `how` holds integers and strings that explain the amount to the cent."""

    __tablename__ = "invoice_line"

    invoice_id: Mapped[UUID]
    position: Mapped[int]
    kind: Mapped[str]
    price_id: Mapped[UUID | None]
    """One of the seller's, held by trigger."""
    description: Mapped[str]
    quantity: Mapped[Decimal]
    unit_amount: Mapped[Decimal | None]
    amount_minor: Mapped[Minor]
    discount_minor: Mapped[Minor]
    tax_percent: Mapped[Decimal]
    tax_inclusive: Mapped[bool]
    tax_code: Mapped[str]
    period_start: Mapped[datetime | None]
    period_end: Mapped[datetime | None]
    how: Mapped[Json]
    credits_line_id: Mapped[UUID | None]
    """The line that a proration credit gives back: of an earlier document, or of this one."""
    credits_issued: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether that line stood on a document when the credit was written."""

    __table_args__ = (
        owned("invoice_id", "invoice", deferred=True),
        Index("uq_invoice_line_invoice_id_position", "invoice_id", "position", unique=True),
        Index("ix_invoice_line_credits", "credits_line_id", postgresql_where=text("credits_line_id IS NOT NULL")),
        one_of("kind", ("recurring", "usage", "proration_credit", "proration_charge", "one_off")),
    )
