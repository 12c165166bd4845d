"""Revenue: what is deferred line by line is what the books hold, and each line's story adds up to what it says."""

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

DEFERRED = (finds(_ACCOUNT), finds(_LINES), finds(_ENTRIES))
"""Checks of L7: what stands on a line is what its entries come to."""
