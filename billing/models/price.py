"""Price: an amount for a product and an interval. Immutable: a new amount is a new price (trigger)."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import Base, SellerOwned, currency_shape, one_of, owned


class Price(SellerOwned, Base):
    """`unit_amount` is exact and in minor units (it may be a fraction of one, such as 0.5 cent)."""

    __tablename__ = "price"

    product_id: Mapped[UUID]
    tax_rate_id: Mapped[UUID | None]
    code: Mapped[str]
    currency: Mapped[str]
    model: Mapped[str] = mapped_column(default="per_unit")
    unit_amount: Mapped[Decimal]
    interval_unit: Mapped[str]
    interval_count: Mapped[int] = mapped_column(default=1)

    __table_args__ = (
        owned("product_id", "product"),
        owned("tax_rate_id", "tax_rate"),
        UniqueConstraint("seller_id", "code"),
        currency_shape(),
        one_of("model", ("per_unit",)),
        one_of("interval_unit", ("day", "week", "month", "year")),
        CheckConstraint("interval_count > 0", name="interval_count_positive"),
        CheckConstraint("unit_amount >= 0", name="unit_amount_not_negative"),
    )
