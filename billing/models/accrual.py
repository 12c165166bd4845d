"""Usage accrual: what was used in a month and not yet invoiced at its end."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import UniqueConstraint
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
