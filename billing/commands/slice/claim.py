"""Claim a slice: its lease and token decide who may write, its tries show that an earlier start did not end."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.rows import change, fetch
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
    given_back: bool
    """An earlier start gave it back: that was no fault of what is in it, but all of it may be too much at once."""


_CLAIM = f"""
    UPDATE billing.slice
    SET status = 'running', tries = tries + 1, token = token + 1, version = version + 1,
        lease_until = clock_timestamp() + make_interval(secs => %(lease_s)s), updated_at = clock_timestamp()
    WHERE id = %(id)s AND status IN ('pending', 'running') AND (lease_until IS NULL OR lease_until < clock_timestamp())
      AND {SAME}
    RETURNING id, kind, member_ids, subscription_ids, tries, token, provider_account_id, error IS NOT NULL AS given_back
"""  # noqa: S608 (our own words)

_NEXT = """
    SELECT id FROM billing.slice
    WHERE kind = %(kind)s AND status = 'pending' AND lease_until IS NULL
    ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
"""

_HELD = f"SELECT token, {SAME} AS same FROM billing.slice WHERE id = %(id)s AND status = 'running' FOR UPDATE"  # noqa: S608 (our own words)

_END = """
    UPDATE billing.slice
    SET status = %(status)s, lease_until = NULL, error = %(error)s, version = version + 1,
        updated_at = clock_timestamp()
    WHERE id = %(id)s AND token = %(token)s AND status = 'running'
"""

_RELEASE = """
    UPDATE billing.slice
    SET lease_until = clock_timestamp(), tries = tries - 1, error = %(error)s, version = version + 1,
        updated_at = clock_timestamp()
    WHERE id = %(id)s AND token = %(token)s AND status = 'running'
"""


def claim(session: Session, *, slice_id: UUID, lease_s: float) -> ClaimedSlice | None:
    """Take the slice, or None where it is done, split, or in other hands. The claim counts once it is committed.

    None, too, while it is open whether this database was restored: then the slice waits for the next sweep.
    """
    rows = fetch(session, _CLAIM, id=slice_id, lease_s=lease_s)
    return ClaimedSlice(*rows[0]) if rows else None


def claim_next(session: Session, *, kind: str, lease_s: float) -> ClaimedSlice | None:
    """Take the oldest slice of the kind that nobody has begun, or None where there is none."""
    found = fetch(session, _NEXT, kind=kind)
    return claim(session, slice_id=found[0].id, lease_s=lease_s) if found else None


def hold_token(session: Session, claimed: ClaimedSlice) -> None:
    """Lock the slice for this transaction. Raises `Stale` where another worker or server took it meanwhile."""
    rows = fetch(session, _HELD, id=claimed.id)
    if not rows or rows[0].token != claimed.token:
        raise Stale(f"slice {claimed.id} is in other hands")
    if not rows[0].same:
        raise Stale(f"it is open whether the database of slice {claimed.id} was restored")


def end(session: Session, claimed: ClaimedSlice, *, status: SliceStatus, error: str | None = None) -> None:
    """Close the slice as done or split. Raises `Stale` on a late token."""
    _require_ours(claimed, change(session, _END, id=claimed.id, token=claimed.token, status=str(status), error=error))


def release(session: Session, claimed: ClaimedSlice, *, error: str) -> None:
    """Give it back, and its try: the next sweep may claim it at once. Raises `Stale` on a late token."""
    _require_ours(claimed, change(session, _RELEASE, id=claimed.id, token=claimed.token, error=error))


def _require_ours(claimed: ClaimedSlice, written: int) -> None:
    if not written:
        raise Stale(f"slice {claimed.id} is in other hands")
