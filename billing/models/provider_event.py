"""Provider event: a delivery stored once, before the provider gets its 2xx. Its body is sealed."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import SCHEMA, Base, Identified, Versioned, one_of
from billing.kernel.status import EventStatus


class ProviderEvent(Identified, Versioned, Base):
    """Unique (provider account, event id). The body is a hint: money moves by the object as re-read."""

    __tablename__ = "provider_event"

    provider_account_id: Mapped[UUID]
    event_ref: Mapped[str]
    type: Mapped[str]
    object_ref: Mapped[str]
    object_type: Mapped[str]
    charge_ref: Mapped[str | None]
    """The charge whose failure is all that it tells of."""
    occurred_at: Mapped[datetime]
    livemode: Mapped[bool]
    secret_index: Mapped[int | None]
    """Which secret signed the delivery; null where the event was read from the provider's own list."""
    body: Mapped[bytes | None]
    """Sealed; blanked 90 days after handling."""
    body_hash: Mapped[bytes]
    status: Mapped[str]
    tries: Mapped[int] = mapped_column(default=0)
    token: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    next_try_at: Mapped[datetime | None]
    """Wall time of the next try; null once it is handled, ignored or dead."""
    error: Mapped[str | None]
    handled_at: Mapped[datetime | None]

    __table_args__ = (
        ForeignKeyConstraint(["provider_account_id"], [f"{SCHEMA}.provider_account.id"]),
        UniqueConstraint("provider_account_id", "event_ref"),
        Index("ix_provider_event_waiting", "next_try_at", postgresql_where=text("next_try_at IS NOT NULL")),
        Index("ix_provider_event_object_ref", "object_ref"),
        Index("ix_provider_event_dead", "id", postgresql_where=text("status = 'dead'")),
        Index(
            "ix_provider_event_body_to_blank",
            "handled_at",
            postgresql_where=text("body IS NOT NULL AND status IN ('processed', 'ignored')"),
        ),
        one_of("status", tuple(EventStatus)),
    )
