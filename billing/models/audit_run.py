"""Audit runs: what each audit looked at and found, and seals over tables whose rows never change."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import Base, Identified, Json, one_of


class AuditRun(Identified, Base):
    """One audit of every invariant. The next incremental one looks at what changed since the last clean one began."""

    __tablename__ = "audit_run"

    scope: Mapped[str]
    """`whole`, or `recent`: what changed since `since`, with all that belongs to it."""
    since: Mapped[datetime | None]
    began_at: Mapped[datetime]
    """Wall time at which its snapshot was taken, as all times here."""
    ended_at: Mapped[datetime]
    rows_seen: Mapped[int] = mapped_column(BigInteger)
    violations: Mapped[int]
    by_code: Mapped[Json]
    """Violations by invariant, those that hold too: {"P1": 0, …}."""

    __table_args__ = (
        one_of("scope", ("whole", "recent")),
        Index("ix_audit_run_clean", "began_at", postgresql_where=text("violations = 0")),
    )


class AuditSeal(Identified, Base):
    """A digest of all rows of an append-only table up to an id, as a whole audit saw them. Append-only (trigger)."""

    __tablename__ = "audit_seal"

    table_name: Mapped[str]
    upto: Mapped[UUID]
    rows: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str]
