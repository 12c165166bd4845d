"""Reconciliation: runs that compare our rows with the provider's, and the differences that they found."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import SCHEMA, Base, Identified, Minor, Versioned, one_of


class Reconciliation(Identified, Versioned, Base):
    """One run over what the provider created in [from_at, to_at). What lies before `reached_at` is compared.

    All four moments of the window are business time; lease and token fence the run as they do any job.
    """

    __tablename__ = "reconciliation"

    provider_account_id: Mapped[UUID]
    cause: Mapped[str]
    from_at: Mapped[datetime]
    to_at: Mapped[datetime]
    reached_at: Mapped[datetime]
    status: Mapped[str]
    token: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    charges: Mapped[int] = mapped_column(default=0)
    refunds: Mapped[int] = mapped_column(default=0)
    disputes: Mapped[int] = mapped_column(default=0)
    movements: Mapped[int] = mapped_column(default=0)
    differences: Mapped[int] = mapped_column(default=0)
    """Found by this run, those known before too."""

    __table_args__ = (
        ForeignKeyConstraint(["provider_account_id"], [f"{SCHEMA}.provider_account.id"]),
        Index(
            "uq_reconciliation_running",
            "provider_account_id",
            unique=True,
            postgresql_where=text("status = 'running'"),
        ),
        one_of("cause", ("daily", "ordered", "restore")),
        one_of("status", ("running", "done")),
        CheckConstraint("from_at <= reached_at AND reached_at <= to_at", name="reached_within"),
    )


class Difference(Identified, Versioned, Base):
    """One thing about which our rows and the provider's don't agree: an open break until `resolved_at` is set."""

    __tablename__ = "difference"

    provider_account_id: Mapped[UUID]
    kind: Mapped[str]
    object_ref: Mapped[str]
    """The provider's id of the charge, refund or dispute."""
    intent_ref: Mapped[str | None]
    seller_id: Mapped[UUID | None]
    profile_id: Mapped[UUID | None]
    invoice_id: Mapped[UUID | None]
    """Of ours, where it is known; no foreign key: after a restore the provider may name one that is gone."""
    amount_minor: Mapped[Minor | None]
    currency: Mapped[str | None]
    detail: Mapped[str]
    work_item_id: Mapped[UUID]
    resolved_at: Mapped[datetime | None]
    """Business time."""

    __table_args__ = (
        ForeignKeyConstraint(["provider_account_id"], [f"{SCHEMA}.provider_account.id"]),
        Index(
            "uq_difference_open",
            "provider_account_id",
            "kind",
            "object_ref",
            unique=True,
            postgresql_where=text("resolved_at IS NULL"),
        ),
        Index("ix_difference_object_ref", "provider_account_id", "object_ref"),
        CheckConstraint("(amount_minor IS NULL) = (currency IS NULL)", name="amount_has_currency"),
    )
