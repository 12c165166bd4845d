"""Invoices as operators see them: lists, and one document with its lines, tries, postings and what was done to it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.copy import id_array
from billing.queries.charged_back import CHARGED_BACK
from billing.queries.operations.browsing import profiles_of
from billing.queries.operations.paging import Facts, Page, read_all, read_page, those_of

_LIST = """
SELECT i.id, i.number, i.status, p.account_id, i.currency, i.total_minor, i.amount_remaining_minor, i.issued_at,
       i.next_attempt_at, i.final_decision, i.hold_id, {charged_back}
FROM {source} i
JOIN billing.profile p ON p.id = i.profile_id
WHERE (CAST(:status AS text) IS NULL OR i.status = :status)
  AND (CAST(:customer AS text) IS NULL OR p.account_id = :customer)
  AND (CAST(:since AS timestamptz) IS NULL OR i.issued_at >= :since)
  AND (CAST(:before AS uuid) IS NULL OR i.id < :before)
ORDER BY i.id DESC LIMIT :limit
"""
_OF_ACCOUNT = "(SELECT * FROM billing.invoice o WHERE o.profile_id = ANY(CAST(:profiles AS uuid[])) OFFSET 0)"

_ONE = f"""
SELECT i.id, i.number, i.kind, i.status, s.code AS seller, p.account_id, i.profile_id, u.code AS subscription,
       i.subscription_id, c.number AS corrects, i.collection, i.issued_at, i.due_at, i.period_start,
       i.period_end, i.currency,
       i.subtotal_minor, i.discount_minor, i.tax_minor, i.total_minor, i.credit_applied_minor, i.brought_forward_minor,
       i.amount_due_minor, i.amount_paid_minor, i.amount_carried_forward_minor, i.amount_remaining_minor,
       {CHARGED_BACK},
       COALESCE((SELECT b.amount_minor FROM billing.credit_balance b
                 WHERE b.profile_id = i.profile_id AND b.currency = i.currency), 0)::bigint AS balance_minor,
       i.tax_groups, i.reverse_charge, i.legal_notes, i.buyer_country, i.buyer_kind,
       i.paid_at, i.next_attempt_at, i.charge_not_before, i.dunning_step, i.dunning_at,
       i.waits_for_method, i.card_limit_until, i.final_decision, i.hold_id, i.version
FROM billing.invoice i
JOIN billing.seller s ON s.id = i.seller_id
JOIN billing.profile p ON p.id = i.profile_id
LEFT JOIN billing.subscription u ON u.id = i.subscription_id
LEFT JOIN billing.invoice c ON c.id = i.corrects_id
WHERE i.id = :id
"""  # noqa: S608 (our own words)

_LINES = """
SELECT position, kind, description, quantity, unit_amount, amount_minor, discount_minor, tax_percent, tax_inclusive,
       tax_code, period_start, period_end, how
FROM billing.invoice_line WHERE invoice_id = :id ORDER BY position
"""

_TRIES = """
SELECT p.id, p.attempt_no, p.status, p.scheduled, p.amount_minor, p.currency, p.opened_at, p.first_sent_at, p.closed_at,
       p.next_check_at, p.decline_code, p.advice_code, p.reason, m.kind AS method_kind,
       m.brand, m.last4, m.wallet, p.charge_ref, n.intent_ref,
       n.generation, p.evidence
FROM billing.payment p
JOIN billing.payment_intent n ON n.id = p.payment_intent_id
JOIN billing.payment_method m ON m.id = p.payment_method_id
WHERE p.invoice_id = :id ORDER BY p.attempt_no
"""

_NOTICES = """
SELECT id, kind, occurred_at, facts, status, reason, tries, next_try_at, closed_at
FROM billing.notice WHERE invoice_id = :id ORDER BY id
"""

_STRUCTURED = """
SELECT id, country, law, status, reference, reason, tries, next_try_at, closed_at
FROM billing.e_invoice WHERE invoice_id = :id
"""

_EXTERNAL = """
SELECT amount_minor, currency, reference, received_at FROM billing.external_payment WHERE invoice_id = :id ORDER BY id
"""

_REFUNDS = """
SELECT r.id, r.status, r.amount_minor, r.currency, n.number AS credit_note, r.refund_ref, r.reason, r.opened_at,
       r.closed_at, r.settled_as, r.settled_reference, r.next_check_at
FROM billing.refund r LEFT JOIN billing.invoice n ON n.id = r.credit_note_id
WHERE r.invoice_id = :id ORDER BY r.id
"""

_CORRECTIONS = """
SELECT id, number, kind, status, total_minor, currency, issued_at
FROM billing.invoice WHERE corrects_id = :id ORDER BY id
"""

_DISPUTES = """
SELECT id, dispute_ref, status, amount_minor, currency, reason, due_by, opened_at
FROM billing.dispute WHERE invoice_id = :id ORDER BY id
"""

_POSTINGS = """
SELECT e.id AS entry_id, e.kind, e.effective_at, g.account, g.amount_minor, g.currency
FROM billing.ledger_entry e JOIN billing.posting g ON g.entry_id = e.id
WHERE e.invoice_id = :id ORDER BY e.id, g.position
"""


def list_invoices(
    session: Session,
    *,
    status: str | None = None,
    profile: UUID | None = None,
    customer: str | None = None,
    since: datetime | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> Page:
    """Documents by status, profile, account of the host, or issued at or after `since`."""
    values = {"status": status, "profile": profile, "customer": customer, "since": since, "before": before}
    source = "billing.invoice"
    if profile is not None:
        source = those_of("invoice", "profile_id", "profile")
    elif customer is not None:
        source, values["profiles"] = _OF_ACCOUNT, id_array(profiles_of(session, customer))
    return read_page(session, _LIST.format(charged_back=CHARGED_BACK, source=source), values, limit=limit)


def show_invoice(session: Session, invoice_id: UUID) -> Facts:
    """One document with all that was paid, given back and corrected of it; the parties stay sealed.

    `balance_minor`: the customer's credit in its currency, today.
    """
    values = {"id": invoice_id}
    [invoice] = read_all(session, _ONE, values)
    return {
        **invoice,
        "lines": read_all(session, _LINES, values),
        "payments": read_all(session, _TRIES, values),
        "external_payments": read_all(session, _EXTERNAL, values),
        "refunds": read_all(session, _REFUNDS, values),
        "corrections": read_all(session, _CORRECTIONS, values),
        "disputes": read_all(session, _DISPUTES, values),
        "postings": read_all(session, _POSTINGS, values),
        "notices": read_all(session, _NOTICES, values),
        "e_invoices": read_all(session, _STRUCTURED, values),
    }
