"""What stands between a customer and being forgotten, and all that is kept of one, for a copy of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.queries.dispute import OPEN
from billing.queries.operations.paging import Facts, read_all

_OBSTACLES = text(
    f"""
    SELECT 'subscription', 'subscription_open', 'cancel it first: ' || code FROM billing.subscription
    WHERE profile_id = :id AND status NOT IN ('canceled', 'incomplete_expired')
    UNION ALL
    SELECT 'invoice', 'money_outstanding', 'have it paid, voided or written off first: ' || coalesce(number, id::text)
    FROM billing.invoice WHERE profile_id = :id AND status IN ('open', 'draft')
    UNION ALL
    SELECT 'payment', 'payment_in_flight', 'wait for its outcome: ' || p.id
    FROM billing.payment p JOIN billing.invoice i ON i.id = p.invoice_id
    WHERE i.profile_id = :id AND p.status IN ('prepared', 'sent', 'unknown', 'processing', 'requires_action')
    UNION ALL
    SELECT 'refund', 'refund_in_flight', 'wait until it is sent: ' || r.id
    FROM billing.refund r JOIN billing.invoice i ON i.id = r.invoice_id
    WHERE i.profile_id = :id AND r.status IN ('pending', 'requires_action', 'failed')
    UNION ALL
    SELECT 'credit', 'credit_left', 'pay it out first (billing profile pay-out), in ' || currency
    FROM billing.credit_balance WHERE profile_id = :id AND amount_minor <> 0
    UNION ALL
    SELECT 'dispute', 'dispute_open', 'wait for its end, and decide on what it took: ' || id
    FROM billing.dispute
    WHERE profile_id = :id AND (status IN ({OPEN}) OR reopened_minor > 0 AND decision IS NULL)
    """  # noqa: S608 (our own words)
)

_KEPT = {
    "payment_methods": """
SELECT kind, status, brand, last4, exp_month, exp_year, funding, issuing_country, wallet, consent_text_version,
       consent_at, consent_channel
FROM billing.payment_method WHERE profile_id = :id ORDER BY id
""",
    "subscriptions": """
SELECT code, status, currency, started_at, current_period_start, current_period_end, cancel_at, ended_at
FROM billing.subscription WHERE profile_id = :id ORDER BY code
""",
    "documents": """
SELECT id, kind, number, status, issued_at, currency, total_minor, tax_minor, amount_paid_minor, amount_remaining_minor
FROM billing.invoice WHERE profile_id = :id ORDER BY id
""",
    "payments": """
SELECT p.status, p.amount_minor, p.currency, p.opened_at, p.closed_at, p.decline_code, i.number AS invoice
FROM billing.payment p JOIN billing.invoice i ON i.id = p.invoice_id WHERE i.profile_id = :id ORDER BY p.id
""",
    "credit": "SELECT currency, amount_minor FROM billing.credit_balance WHERE profile_id = :id ORDER BY currency",
    "messages": """
SELECT kind, occurred_at, status, closed_at FROM billing.notice WHERE profile_id = :id ORDER BY id
""",
    "usage": """
SELECT s.code AS subscription, u.used_at, u.quantity
FROM billing.usage_record u JOIN billing.subscription s ON s.id = u.subscription_id
WHERE s.profile_id = :id ORDER BY u.used_at, u.id
""",
}


def obstacles(session: Session, profile_id: UUID) -> list[tuple[str, str, str]]:
    """(field, code, mend) of everything that is still open between us and the customer."""
    return [(row[0], row[1], row[2]) for row in session.execute(_OBSTACLES, {"id": profile_id})]


def kept_of(session: Session, profile_id: UUID) -> dict[str, list[Facts]]:
    """Every row that is about the customer, by what it is; the sealed parts are opened by the caller."""
    values: dict[str, Any] = {"id": profile_id}
    return {name: list(read_all(session, query, values)) for name, query in _KEPT.items()}
