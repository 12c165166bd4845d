"""Kept sums: what is deferred line by line, and what closed months came to, is what the books still add up to."""

from __future__ import annotations

from billing.queries.audit.invariant import finds

_ACCOUNT = """
SELECT 'seller', coalesce(s.seller_id, p.seller_id),
       format('%s %s are deferred line by line, %s in the books', coalesce(s.deferred, 0),
              coalesce(s.currency, p.currency), coalesce(p.deferred, 0))
FROM (SELECT seller_id, currency, sum(net_minor - credited_minor - recognised_minor) AS deferred
      FROM billing.revenue_schedule GROUP BY seller_id, currency) s
FULL JOIN (SELECT seller_id, currency, -sum(amount_minor) AS deferred
           FROM billing.posting WHERE account = 'deferred_revenue' GROUP BY seller_id, currency) p
  ON p.seller_id = s.seller_id AND p.currency = s.currency
WHERE coalesce(s.deferred, 0) <> coalesce(p.deferred, 0)
"""

_LINES = """
SELECT 'invoice_line', r.id,
       format('of %s, %s are credited and %s recognised; its entries say %s and %s', r.net_minor, r.credited_minor,
              r.recognised_minor, -coalesce(m.deferred + m.recognised, 0), coalesce(m.recognised, 0))
FROM billing.revenue_schedule r
LEFT JOIN (SELECT line_id, sum(deferred_minor) AS deferred, sum(recognised_minor) AS recognised
           FROM billing.revenue_movement GROUP BY line_id) m ON m.line_id = r.id
WHERE r.recognised_minor <> coalesce(m.recognised, 0)
   OR r.credited_minor <> -coalesce(m.deferred + m.recognised, 0)
   OR r.recognised_minor NOT BETWEEN least(r.net_minor - r.credited_minor, 0)
                                 AND greatest(r.net_minor - r.credited_minor, 0)
"""

_ENTRIES = """
SELECT 'ledger_entry', e.id, format('recognises %s, its lines %s', e.amount, coalesce(m.amount, 0))
FROM (SELECT e.id, -sum(p.amount_minor) AS amount
      FROM billing.ledger_entry e
      JOIN billing.posting p ON p.entry_id = e.id
      WHERE e.kind = 'recognition' AND p.account = 'revenue'
      GROUP BY e.id) e
LEFT JOIN (SELECT entry_id, sum(recognised_minor) AS amount FROM billing.revenue_movement GROUP BY entry_id) m
  ON m.entry_id = e.id
WHERE e.amount <> coalesce(m.amount, 0)
"""

_CLOSED = """
WITH turnover AS (
    SELECT e.seller_id, date_trunc('month', e.booked_on::timestamp)::date AS month, p.currency, p.account,
           sum(p.amount_minor) AS amount
    FROM billing.ledger_entry e
    JOIN billing.seller s ON s.id = e.seller_id AND e.booked_on < s.books_open_from
    JOIN billing.posting p ON p.entry_id = e.id
    GROUP BY e.seller_id, 2, p.currency, p.account
), now AS (
    SELECT c.id, t.currency, t.account, sum(t.amount) AS amount
    FROM billing.month_close c JOIN turnover t ON t.seller_id = c.seller_id AND t.month <= c.month
    GROUP BY c.id, t.currency, t.account
), kept AS (
    SELECT c.id, b.currency, b.account, b.balance_minor AS amount
    FROM billing.month_close c
    CROSS JOIN jsonb_to_recordset(c.balances) AS b(currency text, account text, balance_minor bigint)
)
SELECT 'month_close', id, format('%s stood at %s %s when it was closed, its postings come to %s', account,
                                 coalesce(kept.amount, 0), currency, coalesce(now.amount, 0))
FROM kept FULL JOIN now USING (id, currency, account)
WHERE coalesce(kept.amount, 0) <> coalesce(now.amount, 0)
"""

_FEES = """
SELECT 'seller', coalesce(m.seller_id, p.seller_id),
       format('the balance shows fees of %s %s, the books %s', coalesce(m.fees, 0), coalesce(m.currency, p.currency),
              coalesce(p.fees, 0))
FROM (SELECT seller_id, currency, sum(fee_minor - CASE WHEN type IN ('stripe_fee', 'stripe_fx_fee', 'tax_fee')
                                                       THEN amount_minor ELSE 0 END) AS fees
      FROM billing.provider_movement WHERE booked_at IS NOT NULL GROUP BY seller_id, currency) m
FULL JOIN (SELECT seller_id, currency, sum(amount_minor) AS fees
           FROM billing.posting WHERE account = 'provider_fees' GROUP BY seller_id, currency) p
  ON p.seller_id = m.seller_id AND p.currency = m.currency
WHERE coalesce(m.fees, 0) <> coalesce(p.fees, 0)
"""

_PAYOUTS = """
WITH share AS (
    SELECT h.seller_id, p.currency, h.amount_minor,
           CASE WHEN p.status IN ('pending', 'in_transit') THEN 'payouts_in_transit'
                WHEN p.status = 'paid' THEN 'bank' END AS account
    FROM billing.payout p CROSS JOIN jsonb_to_recordset(p.shares) AS h(seller_id uuid, amount_minor bigint)
), held AS (
    SELECT seller_id, currency, account, sum(amount_minor) AS amount FROM share
    WHERE account IS NOT NULL GROUP BY 1, 2, 3
), booked AS (
    SELECT seller_id, currency, account, sum(amount_minor) AS amount FROM billing.posting
    WHERE account IN ('payouts_in_transit', 'bank') GROUP BY 1, 2, 3
)
SELECT 'seller', seller_id, format('payouts come to %s %s, %s holds %s', coalesce(held.amount, 0), currency, account,
                                   coalesce(booked.amount, 0))
FROM held FULL JOIN booked USING (seller_id, currency, account)
WHERE coalesce(held.amount, 0) <> coalesce(booked.amount, 0)
"""

KEPT = (
    finds(_ACCOUNT, only_whole=True),
    finds(_LINES),
    finds(_ENTRIES),
    finds(_CLOSED, only_whole=True),
    finds(_FEES, only_whole=True),
    finds(_PAYOUTS, only_whole=True),
)
"""Checks of L7: replaying the journal gives what is kept beside it."""
