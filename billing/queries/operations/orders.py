"""Orders of the console as operators see them: who asked for what, who approved it, what became of it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.queries.operations.paging import Facts, Page, read_all, read_page

_COLUMNS = """
SELECT o.id, o.status, o.action, o.subject_type, o.subject_id, o.amount_minor, o.currency, a.name AS asked_by,
       o.asked_by AS asked_by_id, o.reason, o.created_at, o.expires_at, d.name AS decided_by, o.decided_reason,
       o.decided_at, o.told, o.facts - 'form' AS facts,
       CASE o.subject_type
           WHEN 'invoice' THEN (SELECT i.number FROM billing.invoice i WHERE i.id = o.subject_id)
           WHEN 'profile' THEN (SELECT p.account_id FROM billing.profile p WHERE p.id = o.subject_id)
           WHEN 'subscription' THEN (SELECT u.code FROM billing.subscription u WHERE u.id = o.subject_id)
           WHEN 'dispute' THEN (SELECT t.dispute_ref FROM billing.dispute t WHERE t.id = o.subject_id)
       END AS about
FROM billing.operator_order o
JOIN billing.operator a ON a.id = o.asked_by
LEFT JOIN billing.operator d ON d.id = o.decided_by
"""

_LIST = f"{_COLUMNS} WHERE (CAST(:before AS uuid) IS NULL OR o.id < :before) ORDER BY o.id DESC LIMIT :limit"
_WAITING = (
    f"{_COLUMNS} WHERE o.status = 'waiting' AND o.status IN ('waiting', 'running') ORDER BY o.expires_at LIMIT 100"
)


def list_orders(session: Session, *, before: UUID | None = None, limit: int = 50) -> Page:
    """All of them, newest first."""
    return read_page(session, _LIST, {"before": before}, limit=limit)


def waiting_orders(session: Session) -> list[Facts]:
    """Those that wait for a second person, the one that expires first on top; at most 100."""
    return read_all(session, _WAITING, {})
