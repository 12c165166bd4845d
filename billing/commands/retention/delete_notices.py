"""Delete what customers were told long ago. What announced a debit stays as long as the debit (audit P8)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

# While an invoice is open, what was told of it keeps the same from being told twice, and a recovery answers it.
_DELETE = text(
    """
    DELETE FROM billing.notice WHERE id = ANY(ARRAY(
        SELECT n.id FROM billing.notice n
        WHERE n.status <> 'waiting' AND n.kind <> 'debit_upcoming' AND n.occurred_at < :before
          AND NOT EXISTS (SELECT FROM billing.invoice i WHERE i.id = n.invoice_id AND i.status IN ('draft', 'open'))
        ORDER BY n.occurred_at LIMIT :most FOR UPDATE SKIP LOCKED))
    """
)


def delete_notices(session: Session, *, before: datetime, most: int) -> int:
    """Told before that business time. Returns how many."""
    return int(session.execute(_DELETE, {"before": before, "most": most}).rowcount)  # type: ignore[attr-defined]
