"""Usage record: what was used of a metered price, reported once by the id that the host gave it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import Base, SellerOwned, owned


class UsageRecord(SellerOwned, Base):
    """Unique (subscription, record id): a repeat is ignored. Append-only (trigger)."""

    __tablename__ = "usage_record"

    subscription_id: Mapped[UUID]
    price_id: Mapped[UUID]
    record_id: Mapped[str]
    quantity: Mapped[Decimal]
    used_at: Mapped[datetime]
    counts_at: Mapped[datetime | None]
    """The instant at which it counts: `used_at`, or the start of a later period; null: never billed."""
    late: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """A record of `max` or `last` whose period was invoiced already: it changes nothing."""

    __table_args__ = (
        owned("subscription_id", "subscription"),
        owned("price_id", "price"),
        UniqueConstraint("subscription_id", "record_id"),
        # What a sum needs is in the index: the records of one subscription lie on as many pages of the table.
        Index(
            "ix_usage_record_counts",
            "subscription_id",
            "price_id",
            "counts_at",
            postgresql_include=["quantity", "used_at"],
        ),
        Index("ix_usage_record_late", "seller_id", "id", postgresql_where=text("late")),
        CheckConstraint("quantity >= 0", name="quantity_not_negative"),
        CheckConstraint("NOT late OR counts_at IS NULL", name="late_counts_nowhere"),
    )
