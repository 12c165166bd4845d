"""Brakes as the API shows them: the seller's, and those that hold everybody."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.queries.operations.paging import Facts, read_all

_IN_FORCE = """
SELECT b.id, b.kind, b.profile_id, b.seller_id IS NULL AS wide,
       CASE WHEN b.seller_id IS NULL THEN 'stopped for everybody' ELSE b.reason END AS reason, b.stopped_at
FROM billing.brake b
WHERE b.released_at IS NULL AND (b.seller_id = :seller OR b.seller_id IS NULL) ORDER BY b.id
"""


def brakes(session: Session, seller_id: UUID) -> list[Facts]:
    """Those in force. Why everybody is stopped is for the operators alone."""
    return read_all(session, _IN_FORCE, {"seller": seller_id})
