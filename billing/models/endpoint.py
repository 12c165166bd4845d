"""Endpoint: where the host application hears of domain events, what is on its way there, and each try of it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import SCHEMA, Base, SellerOwned, Versioned, one_of
from billing.kernel.status import DeliveryStatus, EndpointStatus


class Endpoint(SellerOwned, Versioned, Base):
    """One receiver: an address to post to, or a subscriber of the setting. All instants are wall time."""

    __tablename__ = "endpoint"

    code: Mapped[str]
    target: Mapped[str]
    """`https://…`, or `python:package.module:function`, or `celery:queue:task.name`."""
    topics: Mapped[list[str]]
    """What it hears of: topics, or nouns as `invoice.*`; empty is everything."""
    document_links: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    """Events of a document say where it is opened, which shows names and addresses."""
    status: Mapped[str] = mapped_column(default=EndpointStatus.ON)
    off_at: Mapped[datetime | None]
    """Since then nothing is handed over for it; null while it is on."""
    off_reason: Mapped[str | None]
    secret: Mapped[bytes]
    """Sealed under the endpoint's own data key."""
    former_secret: Mapped[bytes | None]
    """Sealed; signs beside the new one until `former_until`."""
    former_until: Mapped[datetime | None]
    streak: Mapped[int] = mapped_column(default=0)
    """Rounds in a row of which every delivery failed."""
    failing_since: Mapped[datetime | None]
    paused_until: Mapped[datetime | None]
    """While it fails it is asked once in a while, by one delivery."""
    delivered_at: Mapped[datetime | None]
    """When it last took one."""
    contact: Mapped[bytes | None]
    """The mail address of its owner, sealed under the endpoint's own data key."""
    tell_owner_at: Mapped[datetime | None]
    """When its owner is to be told that it is off; null once that is done."""

    __table_args__ = (
        UniqueConstraint("seller_id", "code"),
        ForeignKeyConstraint(["seller_id"], [f"{SCHEMA}.seller.id"]),
        one_of("status", tuple(EndpointStatus)),
        Index("ix_endpoint_owner_to_tell", "tell_owner_at", postgresql_where=text("tell_owner_at IS NOT NULL")),
        CheckConstraint("(status = 'off') = (off_at IS NOT NULL)", name="off_since"),
        CheckConstraint("(former_secret IS NULL) = (former_until IS NULL)", name="former_secret_ends"),
        CheckConstraint("(streak = 0) = (failing_since IS NULL)", name="streak_has_a_beginning"),
    )


class Delivery(Base):
    """One event for one endpoint: the row is the job. An object's later event waits for its earlier one."""

    __tablename__ = "delivery"

    endpoint_id: Mapped[UUID] = mapped_column(primary_key=True)
    outbox_id: Mapped[UUID] = mapped_column(primary_key=True)
    """The event, and the `webhook-id` of every try. No foreign key: the outbox is purged by age."""
    seller_id: Mapped[UUID]
    object_id: Mapped[UUID]
    status: Mapped[str] = mapped_column(server_default=text("'waiting'"))
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    token: Mapped[int] = mapped_column(server_default=text("0"))
    next_try_at: Mapped[datetime | None] = mapped_column(server_default=func.clock_timestamp())
    """Wall time of the next try, or until which a worker has it; null once it is over."""
    first_try_at: Mapped[datetime | None]
    """Wall time; three days later it is given up."""
    closed_at: Mapped[datetime | None]
    """Wall time."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), sort_order=900)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), sort_order=901)
    version: Mapped[int] = mapped_column(server_default=text("1"), default=1, sort_order=902)

    __table_args__ = (
        ForeignKeyConstraint(["endpoint_id", "seller_id"], [f"{SCHEMA}.endpoint.id", f"{SCHEMA}.endpoint.seller_id"]),
        Index("ix_delivery_due", "endpoint_id", "next_try_at", postgresql_where=text("status = 'waiting'")),
        # How long the oldest has waited is asked at every scrape.
        Index("ix_delivery_waiting_since", "endpoint_id", "created_at", postgresql_where=text("status = 'waiting'")),
        Index(
            "ix_delivery_order", "endpoint_id", "object_id", "outbox_id", postgresql_where=text("status = 'waiting'")
        ),
        Index("ix_delivery_dead", "endpoint_id", "outbox_id", postgresql_where=text("status = 'dead'")),
        one_of("status", tuple(DeliveryStatus)),
        CheckConstraint(
            "(status = 'waiting') = (next_try_at IS NOT NULL) AND (status = 'waiting') = (closed_at IS NULL)",
            name="waits_or_closed",
        ),
    )


class DeliveryAttempt(Base):
    """One try of a delivery, and how it ended. Nothing of the answer is kept but its status."""

    __tablename__ = "delivery_attempt"

    endpoint_id: Mapped[UUID] = mapped_column(primary_key=True)
    outbox_id: Mapped[UUID] = mapped_column(primary_key=True)
    token: Mapped[int] = mapped_column(primary_key=True)
    """Of the delivery at that time: which claim it was."""
    outcome: Mapped[str]
    """`delivered`, or a code: `http_500`, `timed_out`, `address_not_allowed`."""
    duration_ms: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), sort_order=900)

    __table_args__ = (
        ForeignKeyConstraint(
            ["endpoint_id", "outbox_id"],
            [f"{SCHEMA}.delivery.endpoint_id", f"{SCHEMA}.delivery.outbox_id"],
            ondelete="CASCADE",
        ),
    )
