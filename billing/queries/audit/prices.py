"""Prices: what a line charges is what its price says of its quantity, for each model, exactly; and for its share.

Computed anew in SQL: it shares no code with the rules that made the amounts. numeric multiplies and adds exactly, and
its round() takes halves away from zero; shares are compared crosswise, without dividing. Lines are read in one pass,
prices by their key.
"""

from __future__ import annotations

from billing.queries.audit.days import miscounted_days
from billing.queries.audit.invariant import finds

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

# A tier holds what lies between its lower neighbour's bound and its own, or (volume) all, if the quantity ends in it.
_PRICED = """WITH priced AS (
    SELECT l.invoice_id, l.position, l.quantity, l.amount_minor, l.how, l.period_start, l.period_end, p.code,
           CASE p.model
           WHEN 'per_unit' THEN p.unit_amount * l.quantity
           WHEN 'flat' THEN CASE WHEN l.quantity > 0 THEN p.unit_amount ELSE 0 END
           WHEN 'package' THEN p.unit_amount * (div(l.quantity, p.package_size)
                               + CASE WHEN mod(l.quantity, p.package_size) > 0 THEN 1 ELSE 0 END)
           ELSE (
               SELECT coalesce(sum(part * unit + CASE WHEN part > 0 THEN flat ELSE 0 END), 0)
               FROM (SELECT unit, flat,
                            CASE WHEN p.model = 'graduated' THEN greatest(least(l.quantity, up_to) - lower, 0)
                                 WHEN l.quantity > lower AND l.quantity <= up_to THEN l.quantity ELSE 0 END AS part
                     FROM (SELECT coalesce((tier ->> 'up_to')::numeric, 'infinity') AS up_to,
                                  (tier ->> 'unit')::numeric AS unit, coalesce((tier ->> 'flat')::numeric, 0) AS flat,
                                  coalesce(lag((tier ->> 'up_to')::numeric) OVER (ORDER BY place), 0) AS lower
                           FROM jsonb_array_elements(p.tiers) WITH ORDINALITY AS t(tier, place)) bounds) parts)
           END AS full_amount
    FROM billing.invoice_line l
    JOIN billing.price p ON p.id = l.price_id
    WHERE l.kind IN ('recurring', 'usage', 'one_off', 'proration_charge')
)"""

_ANOTHER_AMOUNT = f"""
{_PRICED}
SELECT 'invoice', invoice_id, format('line %s charges %s, %s at price %s cost %s', position, amount_minor, quantity,
                                     code, full_amount)
FROM priced WHERE NOT how ? 'proration' AND abs(amount_minor) <> round(full_amount)
"""  # noqa: S608 (our own text)

# On a note the signs of all lines are turned.
_ANOTHER_BASE = f"""
{_PRICED}
SELECT 'invoice', invoice_id, format('line %s charges a share of %s ÷ %s, %s at price %s cost %s', position,
                                     how ->> 'base_numerator', how ->> 'base_denominator', quantity, code, full_amount)
FROM priced
WHERE how ->> 'proration' = 'charge'
  AND (how ->> 'base_numerator')::numeric <> full_amount * (how ->> 'base_denominator')::numeric
UNION ALL
SELECT 'invoice', l.invoice_id, format('line %s gives back a share of %s, the line came to %s', l.position,
                                       l.how ->> 'base_numerator', o.amount_minor - o.discount_minor)
FROM billing.invoice_line l
JOIN billing.invoice_line o ON o.id = l.credits_line_id
WHERE l.how ->> 'proration' = 'credit' AND l.credits_issued
  AND abs((l.how ->> 'base_numerator')::numeric) <> abs(o.amount_minor - o.discount_minor)
"""  # noqa: S608 (our own text)

# Seconds have fractions where an instant does. Days are counted in `days`, by our own data of the zones.
_ANOTHER_SHARE = """
WITH shared AS (
    SELECT invoice_id, position, how, (how ->> 'left')::numeric AS left_of, (how ->> 'whole')::numeric AS whole,
           (how ->> 'whole_from')::timestamptz AS whole_from, (how ->> 'whole_to')::timestamptz AS whole_to,
           period_start, period_end
    FROM billing.invoice_line WHERE how ? 'proration'
)
SELECT 'invoice', invoice_id, format('line %s takes %s of %s %ss, from %s to %s of %s to %s', position, left_of, whole,
                                     how ->> 'time_unit', period_start, period_end, whole_from, whole_to)
FROM shared
WHERE period_start < whole_from OR period_end <> whole_to
   OR how ->> 'time_unit' IS DISTINCT FROM 'day' AND (left_of, whole) IS DISTINCT FROM (
          extract(epoch FROM period_end - period_start)
              * CASE how ->> 'time_unit' WHEN 'second' THEN 1 ELSE 1000000 END,
          extract(epoch FROM whole_to - whole_from) * CASE how ->> 'time_unit' WHEN 'second' THEN 1 ELSE 1000000 END)
UNION ALL
SELECT 'invoice', invoice_id, format('line %s comes to %s ÷ %s, which is not its share', position, how ->> 'numerator',
                                     how ->> 'denominator')
FROM shared
WHERE abs((how ->> 'numerator')::numeric) * (how ->> 'base_denominator')::numeric
      * coalesce((how ->> 'kept_denominator')::numeric, 1) * whole
   <> (how ->> 'denominator')::numeric * abs((how ->> 'base_numerator')::numeric)
      * coalesce((how ->> 'kept_numerator')::numeric, 1) * left_of
"""

AS_PRICED = (
    finds(_ANOTHER_PRICE),
    finds(_ANOTHER_AMOUNT),
    finds(_ANOTHER_BASE),
    finds(_ANOTHER_SHARE),
    miscounted_days,
)
