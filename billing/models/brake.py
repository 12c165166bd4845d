"""Brake: charging or issuing is stopped, for everything, for a seller or for one customer, until a person starts it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped

from billing.db.base import SCHEMA, Base, Identified, Versioned, one_of


class Brake(Identified, Versioned, Base):
    """In force while `released_at` is null. At most one of a kind for the same seller, customer, or everything."""

    __tablename__ = "brake"

    kind: Mapped[str]
    """collect: no charge is sent. issue: no invoice is issued."""
    seller_id: Mapped[UUID | None]
    """Null: everybody's. Set beside `profile_id` too."""
    profile_id: Mapped[UUID | None]
    actor: Mapped[str]
    reason: Mapped[str]
    work_item_id: Mapped[UUID]
    stopped_at: Mapped[datetime]
    """Business time, as `released_at`."""
    released_at: Mapped[datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(["seller_id"], [f"{SCHEMA}.seller.id"]),
        ForeignKeyConstraint(["profile_id", "seller_id"], [f"{SCHEMA}.profile.id", f"{SCHEMA}.profile.seller_id"]),
        Index(
            "uq_brake_in_force",
            "kind",
            "seller_id",
            "profile_id",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("released_at IS NULL"),
        ),
        one_of("kind", ("collect", "issue")),
        CheckConstraint("profile_id IS NULL OR seller_id IS NOT NULL", name="customer_of_a_seller"),
        CheckConstraint("actor <> '' AND reason <> ''", name="who_and_why"),
    )
