"""Audit trail: who did what, to what, and why. Append-only (trigger)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped

from billing.db.base import Base, Identified, Json


class AuditRecord(Identified, Base):
    """One manual action, with the state before and after it."""

    __tablename__ = "audit_trail"

    seller_id: Mapped[UUID | None]
    actor: Mapped[str]
    action: Mapped[str]
    reason: Mapped[str]
    subject_type: Mapped[str]
    subject_id: Mapped[UUID]
    happened_at: Mapped[datetime]
    before: Mapped[Json | None]
    after: Mapped[Json | None]

    __table_args__ = (
        Index("ix_audit_trail_subject_id", "subject_id"),
        Index("ix_audit_trail_actor", "actor", "id"),
        CheckConstraint("actor <> '' AND reason <> ''", name="who_and_why"),
    )
