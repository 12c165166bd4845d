"""Prices: what a line charges is what its price says, and what was used.

Lines are read in one pass, prices by their key, usage by `ix_usage_record_counts`.
"""

from __future__ import annotations

from billing.queries.audit.invariant import Invariant, finds

_ANOTHER_PRICE = """
SELECT 'invoice', i.id, format('line %s charges %s %s a unit, price %s says %s %s', l.position, l.unit_amount,
                               i.currency, p.code, p.unit_amount, p.currency)
FROM billing.invoice_line l
JOIN billing.invoice i ON i.id = l.invoice_id
JOIN billing.price p ON p.id = l.price_id
WHERE l.kind IN ('recurring', 'usage')
  AND (p.currency <> i.currency
       OR (p.model = 'per_unit' AND NOT l.how ? 'proration' AND l.unit_amount IS DISTINCT FROM p.unit_amount))
"""

_UNUSED = """
SELECT 'invoice', i.id, format('line %s charges %s, %s were used', l.position, l.quantity, coalesce(u.used, 0))
FROM billing.invoice_line l
JOIN billing.invoice i ON i.id = l.invoice_id AND i.kind = 'invoice' AND i.status NOT IN ('void', 'expired')
JOIN billing.price p ON p.id = l.price_id
LEFT JOIN LATERAL (
    SELECT CASE p.usage WHEN 'sum' THEN sum(r.quantity) ELSE max(r.quantity) END AS used
    FROM billing.usage_record r
    WHERE r.subscription_id = i.subscription_id AND r.price_id = l.price_id
      AND r.counts_at >= l.period_start AND r.counts_at < l.period_end) u ON true
WHERE l.kind = 'usage' AND l.quantity > coalesce(u.used, 0)
"""

PRICED = Invariant(
    code="R4",
    meaning="Each line charges what its price says, and no more than was used.",
    counted="SELECT count(*) FROM billing.invoice_line WHERE kind IN ('recurring', 'usage')",
    checks=(finds(_ANOTHER_PRICE), finds(_UNUSED)),
)
