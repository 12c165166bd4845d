"""One attempt with its whole story."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.queries.operations.paging import Facts, read_all
from billing.rules.held import waits_for

_ONE = """
SELECT p.id, p.status, p.attempt_no, p.kind, p.scheduled, i.number AS invoice, p.invoice_id, i.status AS invoice_status,
       f.account_id, p.amount_minor, p.currency, a.provider, a.code AS provider_account, a.livemode,
       m.kind AS method_kind, m.brand, m.last4, m.wallet,
       p.customer_ref, p.method_ref, n.intent_ref, n.generation, n.status AS intent_status, p.charge_ref,
       p.decline_code, p.advice_code, p.reason, p.evidence, p.opened_at, p.first_sent_at, p.closed_at,
       p.next_check_at, p.checks, p.absent_lists, p.lease_until, p.token, p.version, p.correlation_id
FROM billing.payment p
JOIN billing.invoice i ON i.id = p.invoice_id
JOIN billing.profile f ON f.id = p.profile_id
JOIN billing.provider_account a ON a.id = p.provider_account_id
JOIN billing.payment_method m ON m.id = p.payment_method_id
JOIN billing.payment_intent n ON n.id = p.payment_intent_id
WHERE p.id = :id
"""

_WRITES = """
SELECT step, key, parameter_hash, created_at FROM billing.provider_write WHERE payment_id = :id ORDER BY created_at
"""

_EVENTS = """
SELECT e.id, e.event_ref, e.type, e.status, e.occurred_at, e.handled_at
FROM billing.provider_event e
JOIN billing.payment_intent n ON n.intent_ref = e.object_ref AND n.provider_account_id = e.provider_account_id
JOIN billing.payment p ON p.payment_intent_id = n.id
WHERE p.id = :id ORDER BY e.id
"""


def show_payment(session: Session, payment_id: UUID) -> Facts:
    """One attempt, the keys under which it was sent, and the events of its intent, in three statements."""
    values = {"id": payment_id}
    [payment] = read_all(session, _ONE, values)
    payment["waits_for"] = waits_for(payment["status"], payment["reason"])
    return {**payment, "writes": read_all(session, _WRITES, values), "events": read_all(session, _EVENTS, values)}
