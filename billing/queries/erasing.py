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

KEPT = {
    "provider_customers": """
SELECT a.provider, c.customer_ref, c.created_at, c.deleted_at
FROM billing.provider_customer c JOIN billing.provider_account a ON a.id = c.provider_account_id
WHERE c.profile_id = :id ORDER BY c.id
""",
    "payment_methods": """
SELECT kind, status, brand, last4, exp_month, exp_year, funding, issuing_country, wallet, consent_text_version,
       consent_at, consent_channel
FROM billing.payment_method WHERE profile_id = :id ORDER BY id
""",
    "subscriptions": """
SELECT code, status, currency, started_at, current_period_start, current_period_end, cancel_at, ended_at
FROM billing.subscription WHERE profile_id = :id ORDER BY code
""",
    "items": """
SELECT s.code AS subscription, p.code AS price, i.quantity
FROM billing.subscription_item i
JOIN billing.subscription s ON s.id = i.subscription_id
JOIN billing.price p ON p.id = i.price_id
WHERE s.profile_id = :id ORDER BY s.code, i.position
""",
    "pauses": """
SELECT s.code AS subscription, p.starts_at, p.ends_at
FROM billing.subscription_pause p JOIN billing.subscription s ON s.id = p.subscription_id
WHERE s.profile_id = :id ORDER BY s.code, p.starts_at
""",
    "lines_not_billed_yet": """
SELECT s.code AS subscription, w.description, w.quantity, w.amount_minor, s.currency, w.period_start, w.period_end
FROM billing.waiting_line w JOIN billing.subscription s ON s.id = w.subscription_id
WHERE s.profile_id = :id ORDER BY s.code, w.id
""",
    "documents": """
SELECT id, kind, number, status, issued_at, currency, total_minor, tax_minor, amount_paid_minor, amount_remaining_minor
FROM billing.invoice WHERE profile_id = :id ORDER BY id
""",
    "payments": """
SELECT p.status, p.amount_minor, p.currency, p.opened_at, p.closed_at, p.decline_code, i.number AS invoice
FROM billing.payment p JOIN billing.invoice i ON i.id = p.invoice_id WHERE i.profile_id = :id ORDER BY p.id
""",
    "refunds": """
SELECT r.status, r.amount_minor, r.currency, r.opened_at, r.closed_at, i.number AS invoice
FROM billing.refund r JOIN billing.invoice i ON i.id = r.invoice_id WHERE r.profile_id = :id ORDER BY r.id
""",
    "disputes": """
SELECT d.status, d.reason, d.amount_minor, d.currency, d.opened_at, d.closed_at, d.decision, i.number AS invoice
FROM billing.dispute d JOIN billing.invoice i ON i.id = d.invoice_id WHERE d.profile_id = :id ORDER BY d.id
""",
    "fraud_warnings": """
SELECT w.fraud_type, w.opened_at, i.number AS invoice
FROM billing.fraud_warning w JOIN billing.invoice i ON i.id = w.invoice_id WHERE w.profile_id = :id ORDER BY w.id
""",
    "payments_past_the_provider": """
SELECT e.amount_minor, e.currency, e.reference, e.received_at, i.number AS invoice
FROM billing.external_payment e JOIN billing.invoice i ON i.id = e.invoice_id WHERE e.profile_id = :id ORDER BY e.id
""",
    "payments_without_a_debt": """
SELECT u.status, u.amount_minor, u.currency, u.created_at, i.number AS invoice
FROM billing.unapplied_payment u JOIN billing.invoice i ON i.id = u.invoice_id
WHERE i.profile_id = :id ORDER BY u.id
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
    return {name: list(read_all(session, query, values)) for name, query in KEPT.items()}
