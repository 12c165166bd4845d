"""Coupon: a discount on a subscription's invoices. Immutable, like a price (trigger)."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped

from billing.db.base import SCHEMA, Base, Minor, SellerOwned, currency_shape, one_of


class Coupon(SellerOwned, Base):
    """A percentage, or an amount in minor units of `currency` (null: of whatever currency the invoice has)."""

    __tablename__ = "coupon"

    code: Mapped[str]
    percent: Mapped[Decimal | None]
    amount_minor: Mapped[Minor | None]
    currency: Mapped[str | None]
    duration: Mapped[str]
    periods: Mapped[int | None]
    """With `repeating`: so many invoices with a positive base."""

    __table_args__ = (
        ForeignKeyConstraint(["seller_id"], [f"{SCHEMA}.seller.id"]),
        UniqueConstraint("seller_id", "code"),
        currency_shape(),
        one_of("duration", ("once", "repeating", "forever")),
        CheckConstraint("num_nonnulls(percent, amount_minor) = 1", name="percent_or_amount"),
        CheckConstraint("percent > 0 AND percent <= 100", name="percent_range"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("(duration = 'repeating') = (periods IS NOT NULL)", name="periods_by_duration"),
        CheckConstraint("periods > 0", name="periods_positive"),
    )
