"""Invoices: numbers without gaps or doubles, in order of issue; amounts recomputed from the lines.

Numbers are read in the order of the unique index (series_id, series_no), lines in one pass grouped by document. The
recomputation stands on its own: it shares no code with the rules that made the amounts.
"""

from __future__ import annotations

from billing.queries.audit.invariant import Invariant, finds

_GAPS = """
SELECT 'series', series_id, CASE WHEN series_no - before = 2 THEN format('number %s is missing', before + 1)
                                 ELSE format('numbers %s to %s are missing', before + 1, series_no - 1) END
FROM (SELECT series_id, series_no, lag(series_no) OVER (PARTITION BY series_id ORDER BY series_no) AS before
      FROM billing.invoice AS numbered WHERE series_id IS NOT NULL) n
WHERE series_no - before > 1
"""

_COUNTER = """
SELECT 'series', s.id, format('next is %s, the last issued is %s', s.next_no, n.last)
FROM billing.series s
JOIN (SELECT series_id, max(series_no) AS last FROM billing.invoice AS numbered
      WHERE series_id IS NOT NULL GROUP BY series_id) n
  ON n.series_id = s.id
WHERE n.last <> s.next_no - 1
"""

_DOUBLES = """
SELECT 'series', series_id, format('number %s stands on %s documents', series_no, count(*))
FROM billing.invoice AS numbered WHERE series_id IS NOT NULL
GROUP BY series_id, series_no HAVING count(*) > 1
"""

_SAME_TEXT = """
SELECT 'seller', seller_id, format('number %s stands on %s documents of several series', number, count(*))
FROM billing.invoice AS numbered WHERE number IS NOT NULL
GROUP BY seller_id, number HAVING count(*) > 1 AND count(DISTINCT (series_id, series_no)) > 1
"""

_ORDER = """
SELECT 'invoice', id, format('%s was issued at %s, the one before it at %s', number, issued_at, before)
FROM (SELECT id, number, issued_at, lag(issued_at) OVER (PARTITION BY series_id ORDER BY series_no, issued_at) AS before
      FROM billing.invoice AS numbered WHERE series_id IS NOT NULL) n
WHERE issued_at < before
"""

_UNNUMBERED = """
SELECT 'invoice', id, format('is %s with the number %s, %s of the series, issued at %s', status,
                             coalesce(number, 'none'), coalesce(series_no::text, 'none'),
                             coalesce(issued_at::text, 'never'))
FROM billing.invoice
WHERE CASE WHEN status IN ('draft', 'expired') THEN num_nonnulls(number, series_id, series_no, issued_at) > 0
           ELSE num_nulls(number, series_id, series_no, issued_at) > 0 END
"""

# round() of a numeric rounds halves away from zero; the inclusive share is an endless decimal, so it is rounded by
# whole division. A note that corrects an invoice in one sum has its tax from the documents before it, not from lines.
_LINES_TAXED = """WITH net AS (
    SELECT invoice_id, tax_percent AS percent, tax_inclusive AS inclusive,
           sum(amount_minor) AS amount, sum(discount_minor) AS discount, sum(amount_minor - discount_minor) AS net
    FROM billing.invoice_line
    GROUP BY invoice_id, tax_percent, tax_inclusive
), taxed AS (
    SELECT *, CASE WHEN inclusive
                   THEN sign(net) * div(2 * abs(net) * percent + 100 + percent, 2 * (100 + percent))
                   ELSE round(net * percent * 0.01) END AS tax
    FROM net
)"""

_TOTALS = f"""
{_LINES_TAXED}
SELECT 'invoice', i.id, format('%s says %s - %s + tax %s = %s, its lines give %s - %s + tax %s = %s', i.number,
    i.subtotal_minor, i.discount_minor, i.tax_minor, i.total_minor, coalesce(d.amount, 0), coalesce(d.discount, 0),
    coalesce(d.tax, 0), coalesce(d.amount - d.discount + d.added, 0))
FROM billing.invoice i
LEFT JOIN (
    SELECT invoice_id, sum(amount) AS amount, sum(discount) AS discount, sum(tax) AS tax,
           coalesce(sum(tax) FILTER (WHERE NOT inclusive), 0) AS added
    FROM taxed GROUP BY invoice_id) d ON d.invoice_id = i.id
WHERE (i.corrects_id IS NULL OR i.kind = 'invoice')
  AND (i.subtotal_minor, i.discount_minor, i.tax_minor, i.total_minor) IS DISTINCT FROM
      (coalesce(d.amount, 0), coalesce(d.discount, 0), coalesce(d.tax, 0), coalesce(d.amount - d.discount + d.added, 0))
"""  # noqa: S608 (our own text)

_TAX = f"""
{_LINES_TAXED}, stated AS (
    SELECT i.id AS invoice_id, g.percent, g.inclusive, sum(g.base_minor) AS base, sum(g.tax_minor) AS tax
    FROM billing.invoice i
    CROSS JOIN LATERAL jsonb_to_recordset(i.tax_groups)
        AS g(percent numeric, inclusive boolean, base_minor bigint, tax_minor bigint)
    WHERE (i.corrects_id IS NULL OR i.kind = 'invoice')
    GROUP BY i.id, g.percent, g.inclusive
)
SELECT 'invoice', coalesce(s.invoice_id, t.invoice_id),
       format('at %s%% it says tax %s on %s, its lines give %s on %s', coalesce(s.percent, t.percent), s.tax, s.base,
              t.tax, CASE WHEN t.inclusive THEN t.net - t.tax ELSE t.net END)
FROM stated s
FULL JOIN (SELECT t.* FROM taxed t JOIN billing.invoice i ON i.id = t.invoice_id AND i.status <> 'refunded') t
  ON t.invoice_id = s.invoice_id AND t.percent = s.percent AND t.inclusive = s.inclusive
WHERE s.tax IS DISTINCT FROM t.tax OR s.base IS DISTINCT FROM CASE WHEN t.inclusive THEN t.net - t.tax ELSE t.net END
"""  # noqa: S608 (our own text)

# On a note the signs of all lines are turned.
_LINES = """
SELECT 'invoice', invoice_id, format('line %s says %s, quantity times price is %s', position, amount_minor,
                                     round(unit_amount * quantity))
FROM billing.invoice_line
WHERE kind IN ('recurring', 'usage') AND how ->> 'model' = 'per_unit' AND NOT how ? 'proration'
  AND abs(amount_minor) <> round(unit_amount * quantity)
"""

_ACCOUNTS = """
SELECT 'invoice', invoice_id, format('line %s says %s, its account gives %s ÷ %s', position, amount_minor,
                                     how ->> 'numerator', how ->> 'denominator')
FROM billing.invoice_line
WHERE abs(amount_minor) <> div(2 * abs((how ->> 'numerator')::numeric) + (how ->> 'denominator')::numeric,
                               2 * (how ->> 'denominator')::numeric)
"""

_CANCELLATIONS = """
SELECT 'invoice', coalesce(c.id, i.id), format('%s takes back %s of %s, which is %s', coalesce(c.number, 'no document'),
                                               c.total_minor, i.number, i.status)
FROM (SELECT * FROM billing.invoice WHERE kind = 'cancellation') c
FULL JOIN (SELECT * FROM billing.invoice WHERE kind = 'invoice' AND status = 'void') i ON i.id = c.corrects_id
WHERE (i.subtotal_minor, i.discount_minor, i.tax_minor, i.total_minor, i.currency) IS DISTINCT FROM
      (c.subtotal_minor, c.discount_minor, c.tax_minor, c.total_minor, c.currency)
"""

# Of a lost dispute that was decided on, what was neither paid nor written off was credited.
_REFUND_NOTES = """
SELECT 'invoice', i.id, format('%s says %s refunded, %s credited; its notes say %s, %s, and tax %s of %s', i.number,
                               i.amount_refunded_minor,
                               i.amount_credited_minor + i.amount_returned_minor + coalesce(d.credited, 0),
                               coalesce(n.refunded, 0), coalesce(n.total - n.refunded, 0), coalesce(n.tax, 0),
                               coalesce(n.total, 0))
FROM billing.invoice i
LEFT JOIN (SELECT corrects_id, sum(total_minor) AS total, sum(tax_minor) AS tax,
                  sum(CASE status WHEN 'refunded' THEN total_minor ELSE 0 END) AS refunded
           FROM billing.invoice WHERE kind = 'credit_note' AND corrects_id IS NOT NULL
           GROUP BY corrects_id) n ON n.corrects_id = i.id
LEFT JOIN (SELECT invoice_id, sum(reopened_minor - repaid_minor - given_up_minor) AS credited
           FROM billing.dispute WHERE decision IS NOT NULL GROUP BY invoice_id) d ON d.invoice_id = i.id
WHERE i.kind = 'invoice'
  AND (i.amount_refunded_minor <> 0 OR i.amount_credited_minor <> 0 OR i.amount_returned_minor <> 0
       OR n.total IS NOT NULL)
  AND (coalesce(n.refunded, 0), coalesce(n.total - n.refunded, 0), coalesce(n.tax, 0)) IS DISTINCT FROM
      (i.amount_refunded_minor::numeric,
       (i.amount_credited_minor + i.amount_returned_minor + coalesce(d.credited, 0))::numeric,
       CASE i.total_minor WHEN 0 THEN i.tax_minor
       ELSE sign(i.tax_minor) * div(2 * abs(coalesce(n.total, 0) * i.tax_minor) + i.total_minor, 2 * i.total_minor) END)
"""

INVOICES = (
    Invariant(
        code="N1",
        meaning="The numbers of a series run without a gap from its first to the one before its next.",
        counted="SELECT count(*) FROM billing.invoice AS numbered WHERE series_id IS NOT NULL",
        checks=(finds(_GAPS), finds(_COUNTER)),
    ),
    Invariant(
        code="N2",
        meaning="No number stands on two documents.",
        counted="SELECT count(*) FROM billing.invoice AS numbered WHERE series_id IS NOT NULL",
        checks=(finds(_DOUBLES), finds(_SAME_TEXT)),
    ),
    Invariant(
        code="N3",
        meaning="A higher number of a series was never issued before a lower one.",
        counted="SELECT count(*) FROM billing.invoice AS numbered WHERE series_id IS NOT NULL",
        checks=(finds(_ORDER),),
    ),
    Invariant(
        code="N5",
        meaning="A document has a number if and only if it was issued.",
        counted="SELECT count(*) FROM billing.invoice",
        checks=(finds(_UNNUMBERED),),
    ),
    Invariant(
        code="N6",
        meaning="Each document's total is the sum of its lines less discounts plus tax, computed anew from the lines.",
        counted="SELECT count(*) FROM billing.invoice",
        checks=(
            finds(_TOTALS),
            finds(_TAX),
            finds(_LINES),
            finds(_ACCOUNTS),
            finds(_CANCELLATIONS),
            finds(_REFUND_NOTES),
        ),
    ),
)
