"""Usage that came too late to be billed, as operators see it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.queries.operations.paging import Page, read_page

_LATE = """
SELECT u.id, s.code AS seller, p.account_id, b.code AS subscription, r.code AS price, r.usage, u.record_id, u.quantity,
       u.used_at, u.created_at
FROM billing.usage_record u
JOIN billing.subscription b ON b.id = u.subscription_id
JOIN billing.profile p ON p.id = b.profile_id
JOIN billing.price r ON r.id = u.price_id
JOIN billing.seller s ON s.id = u.seller_id
WHERE u.late
  AND (CAST(:customer AS text) IS NULL OR p.account_id = :customer)
  AND (CAST(:subscription AS text) IS NULL OR b.code = :subscription)
  AND (CAST(:since AS timestamptz) IS NULL OR u.used_at >= :since)
  AND (CAST(:before AS uuid) IS NULL OR u.id < :before)
ORDER BY u.id DESC LIMIT :limit
"""


def list_late(
    session: Session,
    *,
    customer: str | None = None,
    subscription: str | None = None,
    since: datetime | None = None,
    before: UUID | None = None,
    limit: int,
) -> Page:
    """Records of `max` and `last` prices whose period was invoiced before they came: they change no invoice."""
    values = {"customer": customer, "subscription": subscription, "since": since, "before": before}
    return read_page(session, _LATE, values, limit=limit)
