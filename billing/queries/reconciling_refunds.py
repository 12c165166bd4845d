"""Reconciling refunds: those that are to be looked up, for what a window shows of them."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

# A refund that fails comes back to the balance, days or weeks after it was made.
_CAME_BACK = """
SELECT f.refund_ref
FROM (SELECT refund_ref FROM listed_refund WHERE status = 'failed'
      UNION SELECT source_ref FROM listed_movement WHERE amount_minor > 0) l
JOIN billing.refund f
  ON f.provider_account_id = :account AND f.refund_ref = l.refund_ref AND f.status = 'succeeded'
ORDER BY f.refund_ref
"""


def refunds_to_read(session: Session, *, account_id: UUID) -> list[str]:
    """Those that succeeded by our rows, and have failed, or whose money came back, by the loaded window."""
    return list(session.execute(text(_CAME_BACK), {"account": account_id}).scalars())
