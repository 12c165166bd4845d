"""Claim a slice: its lease and token decide who may write, its tries show that an earlier start did not end."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.kernel.errors import Stale
from billing.kernel.status import SliceStatus
from billing.queries.same_database import SAME


@dataclass(frozen=True, slots=True)
class ClaimedSlice:
    """A slice in one worker's hands until its lease (wall time) ends."""

    id: UUID
    kind: str
    member_ids: list[UUID]
    subscription_ids: list[UUID] | None
    tries: int
    token: int
    provider_account_id: UUID | None


_CLAIM = text(
    f"""
    UPDATE billing.slice
    SET status = 'running', tries = tries + 1, token = token + 1, version = version + 1,
        lease_until = clock_timestamp() + make_interval(secs => :lease_s), updated_at = clock_timestamp()
    WHERE id = :id AND status IN ('pending', 'running') AND (lease_until IS NULL OR lease_until < clock_timestamp())
      AND {SAME}
    RETURNING id, kind, member_ids, subscription_ids, tries, token, provider_account_id
    """  # noqa: S608 (our own words)
)

_NEXT = text(
    """
    SELECT id FROM billing.slice
    WHERE kind = :kind AND status = 'pending' AND lease_until IS NULL
    ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
    """
)


def claim(session: Session, *, slice_id: UUID, lease_s: float) -> ClaimedSlice | None:
    """Take the slice, or None where it is done, split, or in other hands. The claim counts once it is committed.

    None, too, while it is open whether this database was restored: then the slice waits for the next sweep.
    """
    row = session.execute(_CLAIM, {"id": slice_id, "lease_s": lease_s}).one_or_none()
    return ClaimedSlice(*row) if row else None


def claim_next(session: Session, *, kind: str, lease_s: float) -> ClaimedSlice | None:
    """Take the oldest slice of the kind that nobody has begun, or None where there is none."""
    found = session.execute(_NEXT, {"kind": kind}).scalar_one_or_none()
    return claim(session, slice_id=found, lease_s=lease_s) if found else None


def hold_token(session: Session, claimed: ClaimedSlice) -> None:
    """Lock the slice for this transaction. Raises `Stale` where another worker took it meanwhile."""
    row = session.execute(
        text("SELECT token FROM billing.slice WHERE id = :id AND status = 'running' FOR UPDATE"), {"id": claimed.id}
    ).scalar_one_or_none()
    if row != claimed.token:
        raise Stale(f"slice {claimed.id} is in other hands")


def end(session: Session, claimed: ClaimedSlice, *, status: SliceStatus, error: str | None = None) -> None:
    """Close the slice as done or split. Raises `Stale` on a late token."""
    _write(session, claimed, "status = :status, lease_until = NULL, error = :error", status=status, error=error)


def release(session: Session, claimed: ClaimedSlice, *, error: str) -> None:
    """Give it back: the next sweep may claim it at once. Raises `Stale` on a late token."""
    _write(session, claimed, "lease_until = clock_timestamp(), error = :error", error=error)


def _write(session: Session, claimed: ClaimedSlice, assignments: str, **values: object) -> None:
    statement = text(
        f"UPDATE billing.slice SET {assignments}, version = version + 1, updated_at = clock_timestamp() "  # noqa: S608
        "WHERE id = :id AND token = :token AND status = 'running' RETURNING id"
    )
    if session.execute(statement, {"id": claimed.id, "token": claimed.token, **values}).one_or_none() is None:
        raise Stale(f"slice {claimed.id} is in other hands")
