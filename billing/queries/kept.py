"""All that is kept of one customer, for a copy of it: table by table, each in one statement."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.queries.operations.paging import Facts, read_all

_THEIRS = """
WITH invoices AS (SELECT id, number FROM billing.invoice WHERE profile_id = :id),
things AS (
    SELECT CAST(:id AS uuid) AS id
    UNION ALL SELECT id FROM billing.subscription WHERE profile_id = :id
    UNION ALL SELECT id FROM billing.payment_method WHERE profile_id = :id
    UNION ALL SELECT id FROM billing.payment WHERE profile_id = :id
    UNION ALL SELECT id FROM invoices
    UNION ALL SELECT r.id FROM billing.refund r JOIN invoices i ON i.id = r.invoice_id
    UNION ALL SELECT d.id FROM billing.dispute d JOIN invoices i ON i.id = d.invoice_id
    UNION ALL SELECT id FROM billing.work_item WHERE profile_id = :id)
"""
"""Stands before each statement: their documents, and all that an operator can have acted on."""

_KEPT = {
    "provider_customers": """
SELECT a.provider, a.code AS account, c.customer_ref, c.created_at, c.deleted_at
FROM billing.provider_customer c JOIN billing.provider_account a ON a.id = c.provider_account_id
WHERE c.profile_id = :id ORDER BY c.id
""",
    "payment_methods": """
SELECT kind, status, is_default, brand, last4, exp_month, exp_year, funding, issuing_country, wallet, fingerprint,
       mandate_reference, notice_days, consent_text_version, consent_at, consent_channel
FROM billing.payment_method WHERE profile_id = :id ORDER BY id
""",
    "subscriptions": """
SELECT code, status, currency, interval_unit, interval_count, started_at, trial_end, current_period_start,
       current_period_end, paused_at, cancel_at, ended_at
FROM billing.subscription WHERE profile_id = :id ORDER BY code
""",
    "subscription_items": """
SELECT s.code AS subscription, p.code AS price, t.quantity, t.counts_from
FROM billing.subscription s JOIN billing.subscription_item t ON t.subscription_id = s.id
JOIN billing.price p ON p.id = t.price_id
WHERE s.profile_id = :id ORDER BY s.code, t.position
""",
    "past_items": """
SELECT s.code AS subscription, p.code AS price, t.quantity, t.counts_from, t.ended_at
FROM billing.subscription s JOIN billing.past_item t ON t.subscription_id = s.id
JOIN billing.price p ON p.id = t.price_id
WHERE s.profile_id = :id ORDER BY s.code, t.id
""",
    "coupons": """
SELECT s.code AS subscription, c.code AS coupon, c.percent, c.amount_minor, c.currency, c.duration, c.periods,
       s.coupon_used AS used
FROM billing.subscription s JOIN billing.coupon c ON c.id = s.coupon_id
WHERE s.profile_id = :id ORDER BY s.code
""",
    "pauses": """
SELECT s.code AS subscription, u.starts_at, u.ends_at
FROM billing.subscription s JOIN billing.subscription_pause u ON u.subscription_id = s.id
WHERE s.profile_id = :id ORDER BY u.id
""",
    "periods": """
SELECT s.code AS subscription, b.starts_at, b.ends_at, b.cut_at, b.disposition, i.number AS invoice
FROM billing.subscription s JOIN billing.billing_period b ON b.subscription_id = s.id
LEFT JOIN billing.invoice i ON i.id = b.invoice_id
WHERE s.profile_id = :id ORDER BY s.code, b.anchor_no, b.period_no
""",
    "waiting_lines": """
SELECT s.code AS subscription, w.kind, w.description, w.quantity, w.amount_minor, s.currency, w.period_start,
       w.period_end
FROM billing.subscription s JOIN billing.waiting_line w ON w.subscription_id = s.id
WHERE s.profile_id = :id ORDER BY w.id
""",
    "usage": """
SELECT s.code AS subscription, u.used_at, u.quantity
FROM billing.usage_record u JOIN billing.subscription s ON s.id = u.subscription_id
WHERE s.profile_id = :id ORDER BY u.used_at, u.id
""",
    "documents": """
SELECT id, kind, number, status, issued_at, currency, total_minor, tax_minor, brought_forward_minor, amount_paid_minor,
       amount_carried_forward_minor, amount_remaining_minor
FROM billing.invoice WHERE profile_id = :id ORDER BY id
""",
    "structured_invoices": """
SELECT i.number AS invoice, e.country, e.law, e.status, e.reference, e.closed_at
FROM billing.e_invoice e JOIN invoices i ON i.id = e.invoice_id ORDER BY e.id
""",
    "payments": """
SELECT p.kind, p.status, p.amount_minor, p.currency, p.opened_at, p.closed_at, p.decline_code, p.advice_code,
       i.number AS invoice
FROM billing.payment p JOIN invoices i ON i.id = p.invoice_id ORDER BY p.id
""",
    "external_payments": """
SELECT x.amount_minor, x.currency, x.reference, x.received_at, i.number AS invoice
FROM billing.external_payment x JOIN invoices i ON i.id = x.invoice_id ORDER BY x.id
""",
    "unapplied_payments": """
SELECT u.amount_minor, u.currency, u.status, u.created_at, i.number AS invoice
FROM billing.unapplied_payment u JOIN invoices i ON i.id = u.invoice_id ORDER BY u.id
""",
    "refunds": """
SELECT r.status, r.amount_minor, r.currency, r.reason, r.opened_at, r.closed_at, r.settled_as, r.settled_at,
       r.settled_reference, i.number AS invoice, n.number AS credit_note
FROM billing.refund r JOIN invoices i ON i.id = r.invoice_id LEFT JOIN invoices n ON n.id = r.credit_note_id
ORDER BY r.id
""",
    "disputes": """
SELECT d.status, d.amount_minor, d.currency, d.reason, d.opened_at, d.due_by, d.closed_at, d.withdrawn_minor,
       d.reinstated_minor, d.moved_currency, d.reopened_minor, d.repaid_minor, d.given_up_minor, d.decision,
       d.decided_at, i.number AS invoice
FROM billing.dispute d JOIN invoices i ON i.id = d.invoice_id ORDER BY d.id
""",
    "fraud_warnings": """
SELECT f.fraud_type, f.actionable, f.opened_at, i.number AS invoice
FROM billing.fraud_warning f JOIN invoices i ON i.id = f.invoice_id ORDER BY f.id
""",
    "credit": """
SELECT currency, amount_minor, carried_forward_minor
FROM billing.credit_balance WHERE profile_id = :id ORDER BY currency
""",
    # Found by the customer, whether there is an invoice or not.
    "credit_entries": """
SELECT e.kind, e.effective_at, -g.amount_minor AS amount_minor, g.currency, i.number AS invoice
FROM billing.ledger_entry e
JOIN billing.posting g ON g.entry_id = e.id AND g.account IN ('customer_credit', 'carried_forward')
LEFT JOIN invoices i ON i.id = e.invoice_id
WHERE e.profile_id = :id ORDER BY e.effective_at, e.id, g.position
""",
    "messages": """
SELECT n.kind, n.occurred_at, n.status, n.closed_at, i.number AS invoice, s.code AS subscription
FROM billing.notice n LEFT JOIN billing.invoice i ON i.id = n.invoice_id
LEFT JOIN billing.subscription s ON s.id = n.subscription_id
WHERE n.profile_id = :id ORDER BY n.id
""",
    "brakes": """
SELECT kind, reason, stopped_at, released_at FROM billing.brake WHERE profile_id = :id ORDER BY id
""",
    "work": """
SELECT kind, status, amount_minor, currency, created_at, closed_at
FROM billing.work_item WHERE profile_id = :id ORDER BY id
""",
    "actions": """
SELECT a.action, a.subject_type, a.reason, a.happened_at
FROM billing.audit_trail a WHERE a.subject_id = ANY(ARRAY(SELECT id FROM things)) ORDER BY a.id
""",
}
"""Of operators what they did and why, never who: that is their own. The trail has their orders, too."""


def kept_of(session: Session, profile_id: UUID) -> dict[str, list[Facts]]:
    """Every row that is about the customer, by what it is; the sealed parts are opened by the caller."""
    return {name: read_all(session, _THEIRS + query, {"id": profile_id}) for name, query in _KEPT.items()}
