"""Delete work items that were closed long ago. What was done about them stays in the audit trail."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

_DELETE = text(
    """
    DELETE FROM billing.work_item WHERE id = ANY(ARRAY(
        SELECT id FROM billing.work_item WHERE closed_at IS NOT NULL AND closed_at < :before
        ORDER BY closed_at LIMIT :most FOR UPDATE SKIP LOCKED))
    """
)


def delete_work_items(session: Session, *, before: datetime, most: int) -> int:
    """Closed before that business time. Returns how many."""
    return int(session.execute(_DELETE, {"before": before, "most": most}).rowcount)  # type: ignore[attr-defined]
