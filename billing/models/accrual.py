"""Accrual: what a month has earned and no invoice has told at its end, by metered price and by line."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped

from billing.db.base import Base, Minor, SellerOwned, currency_shape, owned


class UsageAccrual(SellerOwned, Base):
    """One metered price of a subscription at the end of a month (`month`: its first day), without tax.

    `entry_id` is the accrual, dated on the month's last day, `reversal_id` takes it back on the day after.
    """

    __tablename__ = "usage_accrual"

    subscription_id: Mapped[UUID]
    price_id: Mapped[UUID]
    month: Mapped[date]
    currency: Mapped[str]
    quantity: Mapped[Decimal]
    amount_minor: Mapped[Minor]
    entry_id: Mapped[UUID | None]
    reversal_id: Mapped[UUID | None]

    __table_args__ = (
        owned("subscription_id", "subscription"),
        owned("price_id", "price"),
        owned("entry_id", "ledger_entry", deferred=True),
        owned("reversal_id", "ledger_entry", deferred=True),
        UniqueConstraint("subscription_id", "price_id", "month"),
        currency_shape(),
    )


class LineAccrual(SellerOwned, Base):
    """What of one line, which no invoice had told by the end of a month (`month`: its first day), is revenue by then.

    Without tax; below 0 for a credit. `line_id` is the line's while it waits, and later on its document; a line that
    is dropped leaves its accruals behind. The entries are those of `UsageAccrual`; of nothing there are none.
    """

    __tablename__ = "line_accrual"

    subscription_id: Mapped[UUID]
    line_id: Mapped[UUID]
    month: Mapped[date]
    currency: Mapped[str]
    amount_minor: Mapped[Minor]
    entry_id: Mapped[UUID | None]
    reversal_id: Mapped[UUID | None]

    __table_args__ = (
        owned("subscription_id", "subscription"),
        owned("entry_id", "ledger_entry", deferred=True),
        owned("reversal_id", "ledger_entry", deferred=True),
        UniqueConstraint("line_id", "month"),
        Index("ix_line_accrual_subscription_id", "subscription_id", "month"),
        currency_shape(),
        CheckConstraint(
            "num_nulls(entry_id, reversal_id) = CASE amount_minor WHEN 0 THEN 2 ELSE 0 END", name="booked_or_nothing"
        ),
    )
