"""Disputes as operators see them: lists, and one with the invoice, the events and what was done about it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.queries.dispute import OPEN
from billing.queries.operations.paging import Facts, Page, read_all, read_page

_COLUMNS = """
SELECT d.id, d.dispute_ref, d.status, i.number AS invoice, p.account_id, d.amount_minor, d.currency, d.reason, d.due_by,
       d.opened_at, d.closed_at, d.decision
"""

_LIST = f"""
{_COLUMNS}
FROM billing.dispute d
JOIN billing.invoice i ON i.id = d.invoice_id
JOIN billing.profile p ON p.id = d.profile_id
WHERE (CAST(:status AS text) IS NULL OR d.status = :status)
  AND (NOT :open OR d.status IN ({OPEN}) OR (d.reopened_minor > 0 AND d.decision IS NULL))
  AND (CAST(:customer AS text) IS NULL OR p.account_id = :customer)
  AND (CAST(:before AS uuid) IS NULL OR d.id < :before)
ORDER BY d.id DESC LIMIT :limit
"""

_ONE = f"""
{_COLUMNS}, d.charge_ref, d.payment_id, d.invoice_id, d.refundable, d.withdrawn_minor, d.reinstated_minor,
       d.moved_currency, d.reopened_minor, d.repaid_minor, d.given_up_minor, i.currency AS reopened_currency,
       d.decided_at, i.status AS invoice_status, i.total_minor AS invoice_total_minor,
       a.provider, a.code AS provider_account, d.version
FROM billing.dispute d
JOIN billing.invoice i ON i.id = d.invoice_id
JOIN billing.profile p ON p.id = d.profile_id
JOIN billing.provider_account a ON a.id = d.provider_account_id
WHERE d.id = :id
"""

_EVENTS = """
SELECT e.id, e.event_ref, e.type, e.status, e.occurred_at, e.handled_at
FROM billing.provider_event e
JOIN billing.dispute d ON d.dispute_ref = e.object_ref AND d.provider_account_id = e.provider_account_id
WHERE d.id = :id ORDER BY e.id
"""

_POSTINGS = """
SELECT e.id AS entry_id, e.kind, e.effective_at, g.account, g.amount_minor, g.currency
FROM billing.dispute d
JOIN billing.ledger_entry e ON e.invoice_id = d.invoice_id AND e.charge_ref = d.charge_ref AND e.kind LIKE 'dispute%'
JOIN billing.posting g ON g.entry_id = e.id
WHERE d.id = :id ORDER BY e.id, g.position
"""


def list_disputes(
    session: Session,
    *,
    status: str | None = None,
    customer: str | None = None,
    only_open: bool = False,
    before: UUID | None = None,
    limit: int = 50,
) -> Page:
    """Disputes, newest first. `only_open`: those that are not over, or lost and not decided on."""
    values = {"status": status, "customer": customer, "open": only_open, "before": before}
    return read_page(session, _LIST, values, limit=limit)


def show_dispute(session: Session, dispute_id: UUID) -> Facts:
    """One dispute, the provider's events about it, and what it posted, in three statements."""
    values = {"id": dispute_id}
    [dispute] = read_all(session, _ONE, values)
    return {
        **dispute,
        "events": read_all(session, _EVENTS, values),
        "postings": read_all(session, _POSTINGS, values),
    }
