"""Subscription: who has what, at which prices, from which anchor; and each billing period, which exists once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import Base, JsonList, SellerOwned, Versioned, currency_shape, one_of, owned
from billing.kernel.status import PeriodDisposition, SubscriptionStatus


class Subscription(SellerOwned, Versioned, Base):
    """The row is the job: `next_due_at` (business time) is what the renewal sweep looks for. That of a canceled one
    asks for its last invoice.

    Boundaries are computed from `anchor_at` in `timezone`, never from the boundary before. `anchor_no` rises with every
    new anchor; `next_period_no` is the k of the first period that is neither billed nor recorded.
    """

    __tablename__ = "subscription"

    profile_id: Mapped[UUID]
    code: Mapped[str]
    """The host's name for it, unique for the seller; slices bill in its order."""
    status: Mapped[str]
    currency: Mapped[str]
    interval_unit: Mapped[str]
    interval_count: Mapped[int]
    timezone: Mapped[str]
    anchor_at: Mapped[datetime]
    anchor_no: Mapped[int] = mapped_column(default=0)
    next_period_no: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime]
    paid_through: Mapped[datetime | None]
    """For a business that moves in: nothing before this instant is ours to bill."""
    current_period_start: Mapped[datetime | None]
    current_period_end: Mapped[datetime | None]
    next_due_at: Mapped[datetime | None]
    trial_end: Mapped[datetime | None]
    cancel_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    """Boundaries from here on pass without an invoice, until it is resumed."""
    scheduled_items: Mapped[JsonList | None]
    """[{"price_id": "…", "quantity": 2}, …]: the items from the end of the running period on."""
    coupon_id: Mapped[UUID | None]
    coupon_used: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """Documents with a positive base that the coupon has been counted on."""
    expires_at: Mapped[datetime | None]
    """Of an `incomplete` one: when it is given up unless its first payment has come."""
    ended_at: Mapped[datetime | None]
    collection: Mapped[str] = mapped_column(default="automatic")
    days_until_due: Mapped[int] = mapped_column(default=30)
    hold_id: Mapped[UUID | None]

    __table_args__ = (
        owned("profile_id", "profile"),
        owned("coupon_id", "coupon"),
        UniqueConstraint("seller_id", "code"),
        Index("ix_subscription_profile_id", "profile_id"),
        Index("ix_subscription_status", "status", "id"),
        Index(
            "ix_subscription_due",
            "next_due_at",
            "profile_id",
            postgresql_where=text("next_due_at IS NOT NULL AND hold_id IS NULL"),
        ),
        Index("ix_subscription_incomplete", "expires_at", postgresql_where=text("status = 'incomplete'")),
        currency_shape(),
        one_of("status", tuple(SubscriptionStatus)),
        one_of("interval_unit", ("day", "week", "month", "year")),
        one_of("collection", ("automatic", "send_invoice")),
        CheckConstraint("interval_count > 0", name="interval_count_positive"),
        CheckConstraint("days_until_due >= 0", name="days_until_due_not_negative"),
        CheckConstraint("coupon_used >= 0", name="coupon_used_not_negative"),
        CheckConstraint(
            "CASE status WHEN 'paused' THEN paused_at IS NOT NULL WHEN 'canceled' THEN TRUE ELSE paused_at IS NULL END",
            name="paused_since",
        ),
        CheckConstraint(
            "(status = 'incomplete') = (expires_at IS NOT NULL) OR status = 'incomplete_expired'",
            name="incomplete_expires",
        ),
        CheckConstraint("current_period_start < current_period_end", name="current_period_order"),
        CheckConstraint("status <> 'canceled' OR ended_at IS NOT NULL", name="canceled_is_over"),
        {"postgresql_with": {"fillfactor": "80"}},
    )


class SubscriptionItem(SellerOwned, Versioned, Base):
    """One price of a subscription and how many of it: none for a metered price, whose quantity is recorded usage.

    Its id is older than those of the lines that charge it: lines of an earlier stay of the same price are not its.
    """

    __tablename__ = "subscription_item"

    subscription_id: Mapped[UUID]
    price_id: Mapped[UUID]
    quantity: Mapped[int | None]
    position: Mapped[int]
    counts_from: Mapped[datetime]
    """When it came. Usage before that is not its."""

    __table_args__ = (
        owned("subscription_id", "subscription"),
        owned("price_id", "price"),
        UniqueConstraint("subscription_id", "price_id"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
    )


class PastItem(SellerOwned, Base):
    """An item that went, under the id it had: it counted in [counts_from, ended_at). Append-only (trigger)."""

    __tablename__ = "past_item"

    subscription_id: Mapped[UUID]
    price_id: Mapped[UUID]
    quantity: Mapped[int | None]
    counts_from: Mapped[datetime]
    ended_at: Mapped[datetime]
    """Equal to `counts_from` of one that went at the moment at which it came, or before that."""

    __table_args__ = (
        owned("subscription_id", "subscription"),
        owned("price_id", "price"),
        Index("ix_past_item_subscription_id", "subscription_id", "price_id"),
        CheckConstraint("counts_from <= ended_at", name="order"),
    )


class BillingPeriod(SellerOwned, Base):
    """A period exists once: unique (subscription, anchor_no, period_no). It names the document that billed it."""

    __tablename__ = "billing_period"

    subscription_id: Mapped[UUID]
    anchor_no: Mapped[int]
    period_no: Mapped[int]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    cut_at: Mapped[datetime | None]
    """Where a new anchor or the end of the subscription cut it short."""
    disposition: Mapped[str]
    invoice_id: Mapped[UUID | None]

    __table_args__ = (
        owned("subscription_id", "subscription"),
        owned("invoice_id", "invoice", deferred=True),
        UniqueConstraint("subscription_id", "anchor_no", "period_no"),
        one_of("disposition", tuple(PeriodDisposition)),
        CheckConstraint("starts_at < ends_at", name="order"),
        CheckConstraint("(disposition = 'billed') = (invoice_id IS NOT NULL)", name="billed_names_document"),
    )


class SubscriptionPause(SellerOwned, Versioned, Base):
    """One pause, [starts_at, ends_at): usage stamped in it is never billed."""

    __tablename__ = "subscription_pause"

    subscription_id: Mapped[UUID]
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]

    __table_args__ = (
        owned("subscription_id", "subscription"),
        Index("ix_subscription_pause_subscription_id", "subscription_id"),
        Index(
            "uq_subscription_pause_running", "subscription_id", unique=True, postgresql_where=text("ends_at IS NULL")
        ),
        CheckConstraint("starts_at <= ends_at", name="order"),
    )
