"""Outbox: domain events for the host application, written in the transaction of the fact they tell."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped

from billing.db.base import Base, Json, SellerOwned


class OutboxEvent(SellerOwned, Base):
    """One domain event, such as `invoice.paid`. Ids and amounts only; nothing personal."""

    __tablename__ = "outbox"

    topic: Mapped[str]
    object_type: Mapped[str]
    object_id: Mapped[UUID]
    occurred_at: Mapped[datetime]
    payload: Mapped[Json]
    delivered_at: Mapped[datetime | None]
    """Wall time at which it was handed over: each endpoint that hears of it has its delivery from then on."""

    # No foreign key: a log of what was told, which outlives what it tells of.
    __table_args__ = (
        Index("ix_outbox_undelivered", "id", postgresql_where=text("delivered_at IS NULL")),
        # What one seller's programs list, past all that the others are told.
        Index("ix_outbox_listed", "seller_id", "id"),
        # Written in the order of time and read by range: a summary of a few kilobytes does.
        Index("ix_outbox_occurred_at", "occurred_at", postgresql_using="brin"),
    )
