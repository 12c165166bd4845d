"""Price: an amount for a product and an interval. Immutable: a new amount is a new price (trigger)."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import Base, JsonList, SellerOwned, currency_shape, one_of, owned


class Price(SellerOwned, Base):
    """`unit_amount` is exact and in minor units (it may be a fraction of one, such as 0.5 cent).

    Without an interval it is charged once. With `usage` it is metered: billed in arrears for what was recorded.
    """

    __tablename__ = "price"

    product_id: Mapped[UUID]
    tax_rate_id: Mapped[UUID | None]
    code: Mapped[str]
    currency: Mapped[str]
    model: Mapped[str] = mapped_column(default="per_unit")
    unit_amount: Mapped[Decimal | None]
    tiers: Mapped[JsonList | None]
    """[{"up_to": "1000", "unit": "0.5", "flat": "0"}, …]: bounds inclusive, the last null; decimals as strings."""
    package_size: Mapped[int | None]
    usage: Mapped[str | None]
    """How the records of a period become its quantity; null for a licensed price, paid in advance."""
    interval_unit: Mapped[str | None]
    interval_count: Mapped[int] = mapped_column(default=1)

    __table_args__ = (
        owned("product_id", "product"),
        owned("tax_rate_id", "tax_rate"),
        UniqueConstraint("seller_id", "code"),
        currency_shape(),
        one_of("model", ("per_unit", "flat", "package", "graduated", "volume")),
        one_of("usage", ("sum", "max", "last")),
        one_of("interval_unit", ("day", "week", "month", "year")),
        CheckConstraint("interval_count > 0", name="interval_count_positive"),
        CheckConstraint("unit_amount >= 0", name="unit_amount_not_negative"),
        CheckConstraint("(model IN ('graduated', 'volume')) = (tiers IS NOT NULL)", name="tiers_by_model"),
        CheckConstraint("(tiers IS NULL) = (unit_amount IS NOT NULL)", name="unit_amount_by_model"),
        CheckConstraint("(model = 'package') = (package_size IS NOT NULL)", name="package_size_by_model"),
        CheckConstraint("package_size > 0", name="package_size_positive"),
        CheckConstraint("usage IS NULL OR interval_unit IS NOT NULL", name="metered_recurs"),
    )
