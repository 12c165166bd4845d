"""Work item: whatever needs a person or another try, in billing words."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import Base, Identified, JsonList, Minor, Versioned, one_of
from billing.kernel.status import WorkItemStatus


class WorkItem(Identified, Versioned, Base):
    """What, for whom, amount at stake, last error, tries, next try, safe actions. One live item a (kind, subject)."""

    __tablename__ = "work_item"

    seller_id: Mapped[UUID | None]
    """Null where no one seller is concerned, such as a poisoned task."""
    kind: Mapped[str]
    subject_type: Mapped[str]
    subject_id: Mapped[UUID]
    profile_id: Mapped[UUID | None]
    amount_minor: Mapped[Minor | None]
    currency: Mapped[str | None]
    summary: Mapped[str]
    """One sentence in billing words."""
    error: Mapped[str | None]
    trace: Mapped[str | None]
    findings: Mapped[JsonList | None]
    """Of one that an audit raised: all that it says of the thing, a finding each (`code`, `subject_type`, `subject_id`,
    `detail`)."""
    tries: Mapped[int] = mapped_column(default=1)
    next_try_at: Mapped[datetime | None]
    safe_actions: Mapped[list[str]]
    status: Mapped[str]
    seen_at: Mapped[datetime]
    """Business time of the last occurrence."""
    closed_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "uq_work_item_live",
            "kind",
            "subject_id",
            unique=True,
            postgresql_where=text("status IN ('open', 'parked')"),
        ),
        Index("ix_work_item_status", "status", "id"),
        Index("ix_work_item_listed", "seller_id", "status", "id"),
        Index("ix_work_item_subject_id", "subject_id"),
        Index("ix_work_item_profile_id", "profile_id", postgresql_where=text("profile_id IS NOT NULL")),
        Index("ix_work_item_closed_at", "closed_at", postgresql_where=text("closed_at IS NOT NULL")),
        one_of("status", tuple(WorkItemStatus)),
        CheckConstraint("(amount_minor IS NULL) = (currency IS NULL)", name="amount_has_currency"),
        CheckConstraint("(closed_at IS NULL) = (status IN ('open', 'parked'))", name="closed_when_ended"),
    )
