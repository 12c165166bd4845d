"""Audit runs: what each looked at and found, what of that people accepted, seals over tables that never change."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from billing.db.base import SCHEMA, Base, Identified, Json, Versioned, one_of


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
    accepted: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    """Findings by invariant that were accepted before, which are no violations: {"P5": 2}."""

    __table_args__ = (
        one_of("scope", ("whole", "recent")),
        Index("ix_audit_run_clean", "began_at", postgresql_where=text("violations = 0")),
    )


class AuditAcceptance(Identified, Versioned, Base):
    """A finding that a person accepted: true, understood, not to be undone. In force until it is revoked.

    It holds for these very words of this invariant about this thing. All that changes is that it is revoked.
    """

    __tablename__ = "audit_acceptance"

    seller_id: Mapped[UUID | None]
    """Whom the finding concerns; null where no one seller."""
    code: Mapped[str]
    """Of the invariant."""
    subject_type: Mapped[str]
    subject_id: Mapped[str]
    """Of ours, or the provider's."""
    detail: Mapped[str]
    witnessed: Mapped[bool]
    """Whether only a witness shows it, so that only an audit with one can find it gone."""
    work_item_id: Mapped[UUID]
    """The item that told of it; no foreign key: it is purged some years after it was closed."""
    actor: Mapped[str]
    reason: Mapped[str]
    accepted_at: Mapped[datetime]
    """Business time, as `revoked_at`."""
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[str | None]
    revoked_because: Mapped[str | None]

    __table_args__ = (
        ForeignKeyConstraint(["seller_id"], [f"{SCHEMA}.seller.id"]),
        Index(
            "uq_audit_acceptance_in_force",
            "code",
            "subject_type",
            "subject_id",
            text("md5(detail)"),
            unique=True,
            postgresql_where=text("revoked_at IS NULL"),
        ),
        CheckConstraint("actor <> '' AND reason <> ''", name="who_and_why"),
        CheckConstraint("num_nulls(revoked_at, revoked_by, revoked_because) IN (0, 3)", name="who_and_why_revoked"),
    )


class AuditSeal(Identified, Base):
    """A digest of all rows of an append-only table up to an id, as a whole audit saw them. Append-only (trigger)."""

    __tablename__ = "audit_seal"

    table_name: Mapped[str]
    upto: Mapped[UUID]
    rows: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str]
