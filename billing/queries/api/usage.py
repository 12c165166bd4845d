"""Usage as the API shows it: what came too late to be billed."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.queries.api.reading import Slice, page_by_id

_LATE = """
SELECT u.id, p.account_id, b.code AS subscription, r.code AS price, r.usage, u.record_id, u.quantity, u.used_at,
       u.created_at
FROM billing.usage_record u
JOIN billing.subscription b ON b.id = u.subscription_id AND b.seller_id = u.seller_id
JOIN billing.profile p ON p.id = b.profile_id AND p.seller_id = u.seller_id
JOIN billing.price r ON r.id = u.price_id AND r.seller_id = u.seller_id
WHERE u.seller_id = :seller AND u.late AND (CAST(:after AS uuid) IS NULL OR u.id < :after)
ORDER BY u.id DESC LIMIT :limit
"""


def late_usage(session: Session, seller_id: UUID, *, after: str | None, limit: int) -> Slice:
    """A page of it, newest first."""
    return page_by_id(session, _LATE, {"seller": seller_id}, after=after, limit=limit)
