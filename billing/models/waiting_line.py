"""Waiting line: a line that is written but not invoiced yet. It keeps its id when its invoice takes it over."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import Base, Json, Minor, SellerOwned, one_of, owned


class WaitingLine(SellerOwned, Base):
    """A line for the subscription's next invoice, in the order of ids. The row is deleted when it is invoiced.

    A proration credit for an issued line keeps that line's tax; other lines are taxed when they are issued.
    """

    __tablename__ = "waiting_line"

    subscription_id: Mapped[UUID]
    kind: Mapped[str]
    price_id: Mapped[UUID | None]
    description: Mapped[str]
    quantity: Mapped[Decimal]
    unit_amount: Mapped[Decimal | None]
    amount_minor: Mapped[Minor]
    period_start: Mapped[datetime | None]
    period_end: Mapped[datetime | None]
    how: Mapped[Json]
    tax_percent: Mapped[Decimal | None]
    tax_inclusive: Mapped[bool | None]
    tax_code: Mapped[str | None]
    credits_line_id: Mapped[UUID | None]
    """The line that a proration credit gives back; it may be waiting itself."""
    credits_issued: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Whether that line stood on a document when this credit was written: then it is outside a discount's base."""
    counts_from: Mapped[datetime | None]
    """Of usage: records from here to the end of the period make the quantity, also those that come while it waits."""
    if_used: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Of usage before a pause: told only if there is some."""

    __table_args__ = (
        owned("subscription_id", "subscription"),
        owned("price_id", "price"),
        Index("ix_waiting_line_subscription_id", "subscription_id", "id"),
        Index("ix_waiting_line_credits", "credits_line_id", postgresql_where=text("credits_line_id IS NOT NULL")),
        one_of("kind", ("usage", "proration_credit", "proration_charge", "one_off")),
        CheckConstraint("(kind = 'proration_credit') = (credits_line_id IS NOT NULL)", name="credit_names_line"),
        CheckConstraint("(kind = 'usage') = (counts_from IS NOT NULL)", name="usage_counts_from"),
        CheckConstraint("num_nulls(tax_percent, tax_inclusive, tax_code) IN (0, 3)", name="tax_whole"),
    )
