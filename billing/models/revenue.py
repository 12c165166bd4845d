"""Revenue: for each invoiced line what is deferred and what is recognised of it, and every move between the two."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import SCHEMA, Base, Born, JsonList, Minor, SellerOwned, Versioned, currency_shape


class RevenueSchedule(SellerOwned, Versioned, Base):
    """One line's way from deferred revenue to revenue; its id is the line's (held by trigger). Amounts are minor units.

    The line's service lasts from `starts_on` to before `ends_on` (dates in the seller's zone; the same for both is a
    single day). Of `net_minor` less `credited_minor`, `recognised_minor` is revenue, and the rest is deferred.
    From `base_on` on, when `base_minor` was recognised, the rest is earned day by day in equal parts.

    The row is the job: `next_at` (business time) is when revenue up to and with `next_on` is recognised; null when
    nothing is deferred any more.
    """

    __tablename__ = "revenue_schedule"

    invoice_id: Mapped[UUID]
    currency: Mapped[str]
    issued_on: Mapped[date]
    """Accounting date of the document."""
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    cuts: Mapped[JsonList] = mapped_column(default=list, server_default=text("'[]'"))
    """[{"on", "until"}], oldest first: the day on which the end was brought forward, and what it was until then."""
    net_minor: Mapped[Minor]
    """Without tax and discount. Below 0 for a line that lowers a document's sum and gives no other line back."""
    credited_minor: Mapped[Minor] = mapped_column(default=0, server_default=text("0"))
    recognised_minor: Mapped[Minor] = mapped_column(default=0, server_default=text("0"))
    base_on: Mapped[date]
    base_minor: Mapped[Minor] = mapped_column(default=0, server_default=text("0"))
    open_on: Mapped[date]
    """First day that is not recognised yet."""
    next_on: Mapped[date | None]
    next_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_revenue_schedule_next_at", "next_at", postgresql_where=text("next_at IS NOT NULL")),
        currency_shape(),
        CheckConstraint("starts_on <= ends_on", name="dates_order"),
        CheckConstraint("credited_minor BETWEEN 0 AND greatest(net_minor, 0)", name="credited_within_net"),
        CheckConstraint(
            "recognised_minor BETWEEN least(net_minor - credited_minor, 0) AND greatest(net_minor - credited_minor, 0)",
            name="recognised_within_net",
        ),
        CheckConstraint(
            "next_at IS NOT NULL OR recognised_minor = net_minor - credited_minor", name="over_when_earned"
        ),
        CheckConstraint("(next_at IS NULL) = (next_on IS NULL)", name="next_whole"),
        {"postgresql_with": {"fillfactor": "85"}},
    )


class RevenueMovement(Base, Born):
    """What one entry did to one line: recognition moves from deferred to recognised, a credit takes from either."""

    __tablename__ = "revenue_movement"

    entry_id: Mapped[UUID] = mapped_column(primary_key=True)
    line_id: Mapped[UUID] = mapped_column(primary_key=True)
    seller_id: Mapped[UUID]
    deferred_minor: Mapped[Minor]
    recognised_minor: Mapped[Minor]

    __table_args__ = (
        ForeignKeyConstraint(
            ["entry_id", "seller_id"], [f"{SCHEMA}.ledger_entry.id", f"{SCHEMA}.ledger_entry.seller_id"]
        ),
        Index("ix_revenue_movement_line_id", "line_id"),
        CheckConstraint("deferred_minor <> 0 OR recognised_minor <> 0", name="moves_something"),
    )
