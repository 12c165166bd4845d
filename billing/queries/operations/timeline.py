"""Everything that happened with one customer, in one line of time; nothing personal."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.queries.operations.paging import Facts, read_all

_SHOWN = 200

# `rank` orders what happened in one instant by cause: issued before tried before paid, an order before what it does.
_LINE = """
WITH mine AS (SELECT id FROM billing.invoice WHERE profile_id = :id)
SELECT at, what, state, told, place, id, amount_minor, currency FROM (
    SELECT 0 AS rank, created_at AS at, 'customer' AS what, 'created' AS state, account_id AS told,
           'customers' AS place, id, NULL::bigint AS amount_minor, NULL AS currency
      FROM billing.profile WHERE id = :id
    UNION ALL SELECT 2, started_at, 'subscription', 'started', code, 'subscriptions', id, NULL, NULL
      FROM billing.subscription WHERE profile_id = :id
    UNION ALL SELECT 10, ended_at, 'subscription', 'ended', code, 'subscriptions', id, NULL, NULL
      FROM billing.subscription WHERE profile_id = :id AND ended_at IS NOT NULL
    UNION ALL SELECT CASE kind WHEN 'invoice' THEN 3 ELSE 7 END, issued_at, kind, 'issued', number, 'invoices', id,
                     total_minor, currency
      FROM billing.invoice WHERE profile_id = :id AND issued_at IS NOT NULL
    UNION ALL SELECT 5, paid_at, kind,
                     CASE WHEN amount_paid_minor > 0 OR amount_carried_forward_minor = 0 THEN 'paid'
                          ELSE 'carried forward' END,
                     number, 'invoices', id, coalesce(nullif(amount_paid_minor, 0), amount_carried_forward_minor),
                     currency
      FROM billing.invoice WHERE profile_id = :id AND paid_at IS NOT NULL
    UNION ALL SELECT 4, opened_at, 'payment', status, coalesce(decline_code, charge_ref), 'payments', id, amount_minor,
                     currency
      FROM billing.payment WHERE profile_id = :id
    UNION ALL SELECT 8, opened_at, 'refund', status, refund_ref, 'invoices', invoice_id, amount_minor, currency
      FROM billing.refund WHERE invoice_id IN (SELECT id FROM mine)
    UNION ALL SELECT 8, opened_at, 'dispute', status, dispute_ref, 'disputes', id, amount_minor, currency
      FROM billing.dispute WHERE invoice_id IN (SELECT id FROM mine)
    UNION ALL SELECT 4, received_at, 'other payment', 'received', reference, 'invoices', invoice_id, amount_minor,
                     currency
      FROM billing.external_payment WHERE invoice_id IN (SELECT id FROM mine)
    UNION ALL SELECT 9, occurred_at, 'message', status, kind, 'invoices', invoice_id, NULL, NULL
      FROM billing.notice WHERE invoice_id IN (SELECT id FROM mine)
    UNION ALL SELECT 1, created_at, 'payment method', status,
                     concat_ws(' ', coalesce(brand, replace(kind, '_', ' ')), last4,
                               '(' || replace(wallet, '_', ' ') || ')'), NULL, id, NULL, NULL
      FROM billing.payment_method WHERE profile_id = :id
    UNION ALL SELECT 6, happened_at, action, actor, reason, NULL, subject_id, NULL, NULL
      FROM billing.audit_trail
      WHERE subject_id IN (SELECT CAST(:id AS uuid) UNION ALL SELECT id FROM mine
                           UNION ALL SELECT id FROM billing.subscription WHERE profile_id = :id)
) AS line
ORDER BY at DESC, rank DESC, id DESC LIMIT :shown
"""


def timeline(session: Session, profile_id: UUID) -> list[Facts]:
    """The newest 200 things, newest first, of one instant the effect before its cause.

    `at`, `what`, `state`, `told`, and where it is shown.
    """
    return read_all(session, _LINE, {"id": profile_id, "shown": _SHOWN})
