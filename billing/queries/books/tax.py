"""The tax report of a month, by country, treatment and rate. It ties to `tax_payable`."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from billing.queries.books.report import Report, read_rows, ties

# What a document says of its tax, by its own accounting date. A note takes back, so it counts negative. A line that
# gives back what was sold to the buyer while they were in another country is of that country; so is as much of a note
# without lines as it was of the invoice that it corrects.
_TAX = """
WITH said AS (
    SELECT row_number() OVER () AS id, i.id AS document, s.code AS seller, i.currency, i.buyer_country, i.kind, g.*,
           CASE WHEN i.kind = 'invoice' OR i.corrects_id IS NULL THEN i.id ELSE i.corrects_id END AS lines_of,
           i.kind <> 'invoice' AND i.corrects_id IS NOT NULL AS in_part
    FROM billing.ledger_entry e
    JOIN billing.invoice i ON i.id = e.invoice_id AND i.seller_id = e.seller_id
    JOIN billing.seller s ON s.id = e.seller_id
    CROSS JOIN jsonb_to_recordset(i.tax_groups)
        AS g(percent numeric, inclusive boolean, base_minor bigint, tax_minor bigint, code text)
    WHERE e.kind = 'issue' AND e.booked_on BETWEEN :since AND :until
      AND (CAST(:seller AS uuid) IS NULL OR e.seller_id = :seller)
), sold AS (
    -- Of the documents with such lines: what those gave back, by the country and treatment under which it was sold.
    SELECT l.invoice_id, o.buyer_country AS country, l.tax_percent AS percent, l.tax_inclusive AS inclusive,
           l.tax_code AS code, sum(l.amount_minor - l.discount_minor) AS amount
    FROM (SELECT DISTINCT lines_of, buyer_country FROM said) d
    JOIN billing.invoice_line l ON l.invoice_id = d.lines_of AND l.credits_line_id IS NOT NULL
    JOIN billing.invoice_line c ON c.id = l.credits_line_id
    JOIN billing.invoice o ON o.id = c.invoice_id AND o.buyer_country <> d.buyer_country
    GROUP BY 1, 2, 3, 4, 5
), taxed AS (
    -- Rounded as the document rounds its groups.
    SELECT *, CASE WHEN inclusive
                   THEN sign(amount) * div(2 * abs(amount) * percent + 100 + percent, 2 * (100 + percent))
                   ELSE round(amount * percent / 100) END AS tax
    FROM sold
), abroad AS (
    -- The share of a group that belongs to another country; in a note without lines, in proportion.
    SELECT said.id, t.country, t.code,
           CASE WHEN in_part THEN coalesce(round(base * said.base_minor / nullif(w.base_minor, 0)), 0) ELSE base END
               AS base_minor,
           CASE WHEN in_part THEN coalesce(round(tax * said.tax_minor / nullif(w.tax_minor, 0)), 0) ELSE tax END
               AS tax_minor
    FROM said
    JOIN (SELECT *, CASE WHEN inclusive THEN amount - tax ELSE amount END AS base FROM taxed) t
      ON t.invoice_id = said.lines_of AND t.percent = said.percent AND t.inclusive = said.inclusive
      AND (t.percent > 0 OR t.code = said.code)
    JOIN billing.invoice i ON i.id = said.lines_of
    JOIN LATERAL jsonb_to_recordset(i.tax_groups)
        AS w(percent numeric, inclusive boolean, base_minor bigint, tax_minor bigint, code text)
      ON w.percent = said.percent AND w.inclusive = said.inclusive AND w.code = said.code
), at_home AS (
    -- The rest is the document's own; where both countries shared a group, it bears the treatment of the own lines.
    SELECT said.id, said.base_minor - coalesce(a.base_minor, 0) AS base_minor,
           said.tax_minor - coalesce(a.tax_minor, 0) AS tax_minor,
           CASE WHEN a.id IS NULL THEN said.code
                ELSE coalesce((SELECT min(l.tax_code) FROM billing.invoice_line l
                               WHERE l.invoice_id = said.lines_of AND l.tax_percent = said.percent
                                 AND l.tax_inclusive = said.inclusive AND l.credits_line_id IS NULL), said.code)
           END AS code, a.id IS NOT NULL AS rest
    FROM said
    LEFT JOIN (SELECT id, sum(base_minor) AS base_minor, sum(tax_minor) AS tax_minor FROM abroad GROUP BY id) a
      ON a.id = said.id
), part AS (
    SELECT id, NULL AS country, code, base_minor, tax_minor FROM at_home
    WHERE NOT (rest AND base_minor = 0 AND tax_minor = 0)
    UNION ALL SELECT id, country, code, base_minor, tax_minor FROM abroad
)
SELECT said.seller, said.currency, coalesce(p.country, said.buyer_country) AS country, p.code, said.percent,
       CASE WHEN said.kind = 'invoice' THEN 'invoices' ELSE 'notes' END AS documents,
       count(DISTINCT said.document) AS number,
       sum(CASE WHEN said.kind = 'invoice' THEN p.base_minor ELSE -p.base_minor END)::bigint AS base_minor,
       sum(CASE WHEN said.kind = 'invoice' THEN p.tax_minor ELSE -p.tax_minor END)::bigint AS amount_minor
FROM said JOIN part p USING (id)
GROUP BY 1, 2, 3, 4, 5, 6
ORDER BY 1, 2, 3, 4, 5, 6
"""


def tax_report(session: Session, *, month: date, seller_id: UUID | None = None) -> Report:
    """Tax of the documents dated in a month (its first day), by country, treatment and rate."""
    last = (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    values = {"since": month, "until": last, "seller": seller_id}
    rows = read_rows(session, _TAX, values)
    columns = ("seller", "currency", "country", "code", "percent", "documents", "number", "base_minor", "amount_minor")
    return Report("tax", columns, rows, ties(session, rows, values, account="tax_payable", sign=-1))
