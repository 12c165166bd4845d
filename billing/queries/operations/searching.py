"""Search: everything that has this id, number, code, account, anonymous id or provider's id. Each by an index."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.queries.operations.finding import place_in_series
from billing.queries.operations.paging import Facts, read_all

_BY_ID = """
SELECT 'invoices' AS place, id, coalesce(number, 'draft') AS name FROM billing.invoice WHERE id = :id
UNION ALL SELECT 'payments', id, 'attempt ' || attempt_no FROM billing.payment WHERE id = :id
UNION ALL SELECT 'customers', id, account_id FROM billing.profile WHERE id = :id OR anonymous_id = :id
UNION ALL SELECT 'subscriptions', id, code FROM billing.subscription WHERE id = :id
UNION ALL SELECT 'events', id, type FROM billing.provider_event WHERE id = :id
UNION ALL SELECT 'outgoing', id, topic FROM billing.outbox WHERE id = :id
UNION ALL SELECT 'disputes', id, dispute_ref FROM billing.dispute WHERE id = :id
UNION ALL SELECT 'payouts', id, payout_ref FROM billing.payout WHERE id = :id AND shares <> '[]'
UNION ALL SELECT 'endpoints', id, code FROM billing.endpoint WHERE id = :id
UNION ALL SELECT 'items', id, kind FROM billing.work_item WHERE id = :id
UNION ALL SELECT 'invoices', invoice_id, 'refund ' || id FROM billing.refund WHERE id = :id
UNION ALL SELECT 'invoices', invoice_id, 'fraud warning ' || warning_ref FROM billing.fraud_warning WHERE id = :id
LIMIT 50
"""

# Every unique key begins with a seller or a provider account: there are few, and each is asked by its index.
_BY_NAME = """
SELECT 'invoices' AS place, i.id, i.number AS name
  FROM billing.series s JOIN billing.invoice i
    ON i.series_id = s.id AND i.series_no = CAST(:no AS integer) AND i.number = :name
UNION ALL SELECT 'customers', p.id, p.account_id
  FROM billing.seller s JOIN billing.profile p ON p.seller_id = s.id AND p.account_id = :name
UNION ALL SELECT 'subscriptions', u.id, u.code
  FROM billing.seller s JOIN billing.subscription u ON u.seller_id = s.id AND u.code = :name
UNION ALL SELECT 'endpoints', e.id, e.code
  FROM billing.seller s JOIN billing.endpoint e ON e.seller_id = s.id AND e.code = :name
UNION ALL SELECT 'invoices', n.invoice_id, 'intent ' || n.intent_ref
  FROM billing.provider_account a JOIN billing.payment_intent n
    ON n.provider_account_id = a.id AND n.intent_ref = :name
UNION ALL SELECT 'payments', t.id, 'charge ' || t.charge_ref
  FROM billing.provider_account a JOIN billing.payment t ON t.provider_account_id = a.id AND t.charge_ref = :name
UNION ALL SELECT 'customers', c.profile_id, 'provider''s customer ' || c.customer_ref
  FROM billing.provider_account a JOIN billing.provider_customer c
    ON c.provider_account_id = a.id AND c.customer_ref = :name
UNION ALL SELECT 'customers', m.profile_id, 'payment method ' || m.method_ref
  FROM billing.provider_account a JOIN billing.payment_method m
    ON m.provider_account_id = a.id AND m.method_ref = :name AND m.status <> 'detached'
UNION ALL SELECT 'invoices', r.invoice_id, 'refund ' || r.refund_ref
  FROM billing.provider_account a JOIN billing.refund r ON r.provider_account_id = a.id AND r.refund_ref = :name
UNION ALL SELECT 'disputes', d.id, d.dispute_ref
  FROM billing.provider_account a JOIN billing.dispute d ON d.provider_account_id = a.id AND d.dispute_ref = :name
UNION ALL SELECT 'payouts', o.id, o.payout_ref
  FROM billing.provider_account a JOIN billing.payout o
    ON o.provider_account_id = a.id AND o.payout_ref = :name AND o.shares <> '[]'
UNION ALL SELECT 'events', e.id, e.event_ref
  FROM billing.provider_account a JOIN billing.provider_event e
    ON e.provider_account_id = a.id AND e.event_ref = :name
LIMIT 50
"""


def search(session: Session, wanted: str) -> list[Facts]:
    """`place`, `id` and `name` of each thing that is called exactly so, at most 50."""
    try:
        found = read_all(session, _BY_ID, {"id": UUID(wanted)})
    except ValueError:
        found = []
    return found or read_all(session, _BY_NAME, {"name": wanted, "no": place_in_series(wanted)})
