"""Provider rate: the bucket that all workers share, one row a provider account and operation (DECISIONS 26)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import SCHEMA, Base, Identified, Versioned


class ProviderRate(Identified, Versioned, Base):
    """All instants are wall time. The row whose endpoint is empty is the account's own: its rate, and its breaker."""

    __tablename__ = "provider_rate"

    provider_account_id: Mapped[UUID]
    endpoint: Mapped[str]
    limit_per_s: Mapped[float] = mapped_column(DOUBLE_PRECISION)
    rate_per_s: Mapped[float] = mapped_column(DOUBLE_PRECISION)
    ceiling_per_s: Mapped[float | None] = mapped_column(DOUBLE_PRECISION)
    grown_at: Mapped[datetime]
    slowed_at: Mapped[datetime | None]
    next_at: Mapped[datetime]
    assured_at: Mapped[datetime]
    held_until: Mapped[datetime | None]
    counted_from: Mapped[datetime]
    counted: Mapped[int]
    measured_per_s: Mapped[float] = mapped_column(DOUBLE_PRECISION)
    throttled: Mapped[int] = mapped_column(default=0)
    """429s since the row was made."""
    down_streak: Mapped[int] = mapped_column(default=0)
    opened: Mapped[int] = mapped_column(default=0)
    open_until: Mapped[datetime | None]
    probe_until: Mapped[datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(["provider_account_id"], [f"{SCHEMA}.provider_account.id"]),
        UniqueConstraint("provider_account_id", "endpoint"),
        CheckConstraint("limit_per_s > 0 AND rate_per_s > 0", name="rates_positive"),
        # Hot and small: room on its page keeps updates off the indexes.
        {"postgresql_with": {"fillfactor": "50"}},
    )
