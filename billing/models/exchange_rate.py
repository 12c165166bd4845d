"""Exchange rates as they were published, and when each source is read next. No seller's: they are the same for all."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import Base, Born, currency_shape


class ExchangeRate(Base, Born):
    """Units of `currency` for one euro on a day of publication. Never changed once it is here."""

    __tablename__ = "exchange_rate"

    source: Mapped[str] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    per_euro: Mapped[Decimal]

    __table_args__ = (currency_shape(), CheckConstraint("per_euro > 0", name="per_euro_positive"))


class RateSource(Base, Born):
    """When a source is read next (wall time): one worker at a time."""

    __tablename__ = "rate_source"

    source: Mapped[str] = mapped_column(primary_key=True)
    next_read_at: Mapped[datetime]
    read_at: Mapped[datetime | None]
    """When it last answered."""
