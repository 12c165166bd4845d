"""Kept sums: what is deferred or accrued line by line, and what closed months came to, is what the books add up to."""

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
FROM (SELECT seller_id, currency, sum(fee_minor - CASE WHEN type IN ('stripe_fee', 'stripe_fx_fee', 'tax_fee',
                                                                    'paypal_fee')
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

# An accrual and what takes it back are booked together, for all that one batch accrued of a currency.
_ACCRUED = """
WITH accrual AS (
    SELECT 'usage' AS name, month, amount_minor, entry_id, reversal_id FROM billing.usage_accrual
    UNION ALL SELECT 'line', month, amount_minor, entry_id, reversal_id FROM billing.line_accrual
), said AS (
    SELECT entry_id AS id, name || '_accrual' AS kind, sum(amount_minor) AS amount,
           (month + interval '1 month' - interval '1 day')::date AS day
    FROM accrual WHERE entry_id IS NOT NULL GROUP BY entry_id, name, month
    UNION ALL
    SELECT reversal_id, name || '_reversal', -sum(amount_minor), (month + interval '1 month')::date
    FROM accrual WHERE reversal_id IS NOT NULL GROUP BY reversal_id, name, month
), booked AS (
    SELECT e.id, e.kind, e.booked_on, sum(p.amount_minor) FILTER (WHERE p.account = 'unbilled_receivable') AS amount,
           sum(p.amount_minor) FILTER (WHERE p.account = 'revenue') AS revenue
    FROM billing.ledger_entry e LEFT JOIN billing.posting p ON p.entry_id = e.id
    WHERE e.kind IN ('usage_accrual', 'usage_reversal', 'line_accrual', 'line_reversal')
    GROUP BY e.id, e.kind, e.booked_on
)
SELECT 'ledger_entry', coalesce(booked.id, said.id),
       format('a %s of %s on %s, the accruals say %s of %s on %s', coalesce(booked.kind, 'entry'),
              coalesce(booked.amount, 0), booked.booked_on, said.kind, coalesce(said.amount, 0), said.day)
FROM booked FULL JOIN said ON said.id = booked.id
WHERE booked.kind IS DISTINCT FROM said.kind OR booked.amount IS DISTINCT FROM said.amount
   OR booked.revenue IS DISTINCT FROM -said.amount OR booked.booked_on NOT BETWEEN said.day AND said.day + 1
"""

# A line that is dropped leaves its accruals. A credit takes what is deferred of its line first, and frees the rest.
_ACCRUED_LINES = """
WITH line AS (
    SELECT id, abs(amount_minor) AS amount, credits_line_id, NULL::date AS told FROM billing.waiting_line
    UNION ALL
    SELECT l.id, abs(l.amount_minor), l.credits_line_id, r.issued_on
    FROM billing.invoice_line l LEFT JOIN billing.revenue_schedule r ON r.id = l.id
)
SELECT 'line_accrual', a.id, format('%s of line %s are revenue of %s; it comes to %s, told on %s', a.amount_minor, l.id,
                                    to_char(a.month, 'YYYY-MM'), l.amount, coalesce(l.told::text, 'no day yet'))
FROM billing.line_accrual a
JOIN line l ON l.id = a.line_id
LEFT JOIN line of ON of.id = l.credits_line_id
WHERE l.told < a.month + interval '1 month'
   OR l.credits_line_id IS NULL AND a.amount_minor NOT BETWEEN 0 AND l.amount
   OR a.amount_minor NOT BETWEEN -l.amount AND of.amount
"""

KEPT = (
    finds(_ACCOUNT, only_whole=True),
    finds(_LINES),
    finds(_ENTRIES),
    finds(_CLOSED, only_whole=True),
    finds(_ACCRUED, only_whole=True),
    finds(_ACCRUED_LINES, only_whole=True),
    finds(_FEES, only_whole=True),
    finds(_PAYOUTS, only_whole=True),
)
"""Checks of L7: replaying the journal gives what is kept beside it."""
