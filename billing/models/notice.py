"""Notice: one message to a customer, an event for the host application, and a mail where there is a mail server."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import Base, Json, SellerOwned, Versioned, one_of, owned
from billing.kernel.status import NoticeStatus
from billing.rules.notice import NoticeKind


class Notice(SellerOwned, Versioned, Base):
    """The row is the job: it waits until its mail is taken by the mail server, or has lost its point.

    Nothing personal stands here; name and address are read when the mail is made. `facts` are ids, amounts, instants.
    """

    __tablename__ = "notice"

    profile_id: Mapped[UUID]
    kind: Mapped[str]
    occasion: Mapped[str]
    """What it is about, such as an attempt or a period: of one kind there is one notice an occasion."""
    invoice_id: Mapped[UUID | None]
    subscription_id: Mapped[UUID | None]
    facts: Mapped[Json]
    occurred_at: Mapped[datetime]
    """Business time."""
    status: Mapped[str] = mapped_column(default=NoticeStatus.WAITING)
    reason: Mapped[str | None]
    """Why it was dropped or failed: a code, never the mail server's words, which may name the customer."""
    tries: Mapped[int] = mapped_column(default=0)
    token: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None]
    """Wall time of the next sending, or until which a worker has it; null once it is over."""
    closed_at: Mapped[datetime | None]
    """Wall time."""

    __table_args__ = (
        owned("profile_id", "profile"),
        owned("invoice_id", "invoice"),
        owned("subscription_id", "subscription"),
        UniqueConstraint("kind", "occasion"),
        Index("ix_notice_waiting", "next_try_at", postgresql_where=text("status = 'waiting'")),
        Index("ix_notice_invoice_id", "invoice_id", postgresql_where=text("invoice_id IS NOT NULL")),
        Index(
            "ix_notice_old", "occurred_at", postgresql_where=text("status <> 'waiting' AND kind <> 'debit_upcoming'")
        ),
        one_of("kind", tuple(NoticeKind)),
        one_of("status", tuple(NoticeStatus)),
        CheckConstraint(
            "(status = 'waiting') = (next_try_at IS NOT NULL) AND (status = 'waiting') = (closed_at IS NULL)",
            name="waits_or_closed",
        ),
    )
