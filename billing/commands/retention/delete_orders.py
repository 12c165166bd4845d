"""Delete the console's orders that ended long ago. What was done, by whom and why stays in the audit trail."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.db.clock import wall_now
from billing.kernel.ids import lowest_id_at

# Ids are made with forms, so they are as old as their orders, or older: the second condition is the rule.
_DELETE = text(
    """
    DELETE FROM billing.operator_order WHERE id = ANY(ARRAY(
        SELECT id FROM billing.operator_order
        WHERE id < :bound AND created_at < :before AND status IN ('done', 'refused', 'declined', 'expired')
        ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED))
    """
)


def delete_orders(session: Session, *, days: int, most: int) -> int:
    """Made more than `days` of wall time ago. Returns how many. One of which nobody knows whether it was done stays."""
    before = wall_now(session) - timedelta(days=days)
    values = {"bound": lowest_id_at(before), "before": before, "most": most}
    return int(session.execute(_DELETE, values).rowcount)  # type: ignore[attr-defined]
