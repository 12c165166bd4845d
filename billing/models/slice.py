"""Slice: a committed portion of due work. The message carries its id; the row is the job."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import Base, Identified, Versioned, one_of
from billing.kernel.status import SliceStatus


class Slice(Identified, Versioned, Base):
    """Profiles to renew, or invoices to charge. Split in two when it fails or starts twice (DECISIONS 16, 17)."""

    __tablename__ = "slice"

    kind: Mapped[str]
    member_ids: Mapped[list[UUID]]
    """Profiles (renewals) or invoices (charges)."""
    subscription_ids: Mapped[list[UUID] | None]
    """Only these subscriptions of the one profile: the last halvings."""
    parent_id: Mapped[UUID | None]
    provider_account_id: Mapped[UUID | None]
    """Whose calls a slice of charges needs, as it looked when it was cut; null where none does."""
    status: Mapped[str]
    tries: Mapped[int] = mapped_column(default=0)
    token: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    error: Mapped[str | None]

    __table_args__ = (
        Index("ix_slice_live", "kind", "id", postgresql_where=text("status IN ('pending', 'running')")),
        one_of("kind", ("renewals", "charges")),
        one_of("status", tuple(SliceStatus)),
        CheckConstraint("cardinality(member_ids) > 0", name="has_members"),
    )
