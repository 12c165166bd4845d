"""What stands between a customer and being forgotten."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.queries.dispute import OPEN

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
    SELECT 'refund', 'refund_in_flight',
           CASE WHEN r.status IN ('failed', 'canceled') THEN 'settle its work item first (credit or paid): '
                ELSE 'wait until it is sent: ' END || r.id
    FROM billing.refund r JOIN billing.invoice i ON i.id = r.invoice_id
    WHERE i.profile_id = :id AND r.status <> 'succeeded' AND r.settled_as IS NULL
    UNION ALL
    SELECT 'unapplied_payment', 'money_kept_apart', 'send it back, or settle it, first: billing work show ' || w.id
    FROM billing.invoice i
    JOIN billing.unapplied_payment u ON u.invoice_id = i.id AND u.status = 'held'
    JOIN billing.work_item w ON w.subject_id = u.id AND w.kind = 'payment_unapplied' AND w.closed_at IS NULL
    WHERE i.profile_id = :id
    UNION ALL
    SELECT 'credit', 'credit_left', 'pay it out first (billing profile pay-out), in ' || currency
    FROM billing.credit_balance WHERE profile_id = :id AND amount_minor <> 0
    UNION ALL
    SELECT 'dispute', 'dispute_open', 'wait for its end, and decide on what it took: ' || d.id
    FROM billing.dispute d JOIN billing.invoice i ON i.id = d.invoice_id
    WHERE i.profile_id = :id AND (d.status IN ({OPEN}) OR d.reopened_minor > 0 AND d.decision IS NULL)
    """  # noqa: S608 (our own words)
)


def obstacles(session: Session, profile_id: UUID) -> list[tuple[str, str, str]]:
    """(field, code, mend) of everything that is still open between us and the customer."""
    return [(row[0], row[1], row[2]) for row in session.execute(_OBSTACLES, {"id": profile_id})]
