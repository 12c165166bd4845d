"""Structured invoice: an issued document that the law wants in a network's form, on its way to the host's transport."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import Base, SellerOwned, Versioned, one_of, owned
from billing.kernel.status import EInvoiceStatus


class EInvoice(SellerOwned, Versioned, Base):
    """The row is the job: it waits until the transport has taken the document, or a person decides."""

    __tablename__ = "e_invoice"

    invoice_id: Mapped[UUID]
    country: Mapped[str]
    law: Mapped[str]
    status: Mapped[str] = mapped_column(default=EInvoiceStatus.WAITING)
    reference: Mapped[str | None]
    """The network's own number for it."""
    reason: Mapped[str | None]
    """How the last try ended: a code."""
    tries: Mapped[int] = mapped_column(default=0)
    token: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime | None]
    """Wall time of the next try, or until which a worker has it; null once it is over."""
    closed_at: Mapped[datetime | None]
    """Wall time."""

    __table_args__ = (
        owned("invoice_id", "invoice"),
        UniqueConstraint("invoice_id"),
        Index("ix_e_invoice_waiting", "next_try_at", postgresql_where=text("status = 'waiting'")),
        one_of("status", tuple(EInvoiceStatus)),
        CheckConstraint(
            "(status = 'waiting') = (next_try_at IS NOT NULL) AND (status = 'waiting') = (closed_at IS NULL)",
            name="waits_or_closed",
        ),
    )
