"""Corrections: what credits, refunds and credit notes give back is no more than what was charged and paid."""

from __future__ import annotations

from billing.queries.audit.invariant import Invariant, finds

# A credit for a line that had no document yet gives back its amount; its discount came later, to both alike.
_CREDITED_BEYOND = """
SELECT 'invoice_line', l.id, format('charged %s, %s credits give back %s',
                                    abs(l.amount_minor) - abs(l.discount_minor), count(*), sum(abs(c.amount_minor)))
FROM (SELECT credits_line_id, credits_issued, amount_minor FROM billing.invoice_line WHERE credits_line_id IS NOT NULL
      UNION ALL
      SELECT credits_line_id, credits_issued, amount_minor FROM billing.waiting_line
      WHERE credits_line_id IS NOT NULL) c
JOIN billing.invoice_line l ON l.id = c.credits_line_id
GROUP BY l.id, l.amount_minor, l.discount_minor
HAVING count(*) > 1
    OR sum(abs(c.amount_minor)) > abs(l.amount_minor) - CASE WHEN bool_or(c.credits_issued) THEN abs(l.discount_minor)
                                                             ELSE 0 END
"""

# Credits count with the gross that they stood for; those written after the last refund were less by what it gave back.
_REFUNDED_BEYOND = """
WITH RECURSIVE chain AS (
    SELECT id, id AS document FROM billing.invoice WHERE kind = 'invoice' AND amount_refunded_minor > 0
    UNION ALL SELECT c.id, o.corrects_id FROM chain c JOIN billing.invoice o ON o.id = c.document
    WHERE o.corrects_id IS NOT NULL
), note AS (
    SELECT corrects_id AS id, max(id::text)::uuid AS last, sum(total_minor) AS total
    FROM billing.invoice WHERE status = 'refunded' GROUP BY corrects_id
), paid AS (
    SELECT chain.id, sum(p.amount_minor) AS total
    FROM chain
    JOIN billing.payment p ON p.invoice_id = chain.document
    LEFT JOIN billing.unapplied_payment u
      ON u.provider_account_id = p.provider_account_id AND u.charge_ref = p.charge_ref
    WHERE p.status = 'succeeded' AND u.id IS NULL
    GROUP BY chain.id
), credit AS (
    SELECT i.id, sum(div(2 * abs(c.amount_minor)::numeric * i.total_minor + i.subtotal_minor - i.discount_minor,
                         2 * (i.subtotal_minor - i.discount_minor))) AS gross
    FROM note n
    JOIN billing.invoice i ON i.id = n.id AND i.subtotal_minor > i.discount_minor
    JOIN billing.invoice_line l ON l.invoice_id = i.id
    JOIN (SELECT id, credits_line_id, amount_minor FROM billing.invoice_line WHERE credits_issued
          UNION ALL SELECT id, credits_line_id, amount_minor FROM billing.waiting_line WHERE credits_issued) c
      ON c.credits_line_id = l.id AND c.id < n.last
    GROUP BY i.id
)
SELECT 'invoice', i.id, format('%s: %s paid, %s refunded, %s credited before that', i.number, coalesce(paid.total, 0),
                               note.total, coalesce(credit.gross, 0))
FROM note
JOIN billing.invoice i ON i.id = note.id
LEFT JOIN paid ON paid.id = note.id
LEFT JOIN credit ON credit.id = note.id
WHERE note.total + coalesce(credit.gross, 0) > coalesce(paid.total, 0)
"""

# A credit written after a refund gives back no more than was left of its line (the scenario contract, rule 5).
_CREDITED_AFTER_A_REFUND = """
SELECT 'invoice_line', l.id, format('a credit of %s, though %s of %s had been refunded', abs(c.amount_minor),
                                    sum(n.total_minor), i.total_minor)
FROM (SELECT id, credits_line_id, amount_minor FROM billing.invoice_line WHERE credits_issued
      UNION ALL SELECT id, credits_line_id, amount_minor FROM billing.waiting_line WHERE credits_issued) c
JOIN billing.invoice_line l ON l.id = c.credits_line_id
JOIN billing.invoice i ON i.id = l.invoice_id AND i.total_minor > 0
JOIN billing.invoice n ON n.corrects_id = i.id AND n.status = 'refunded' AND n.id < c.id
GROUP BY l.id, c.id, c.amount_minor, l.amount_minor, l.discount_minor, i.total_minor
HAVING (2 * abs(c.amount_minor)::numeric - 1) * i.total_minor
       > 2 * abs(l.amount_minor - l.discount_minor)::numeric * (i.total_minor - sum(n.total_minor))
"""

_NOTED_BEYOND = """
SELECT 'invoice', i.id, format('%s of %s taken back by %s notes', sum(n.total_minor), i.total_minor, count(*))
FROM billing.invoice i
JOIN billing.invoice n ON n.corrects_id = i.id AND n.kind = 'credit_note'
GROUP BY i.id, i.total_minor
HAVING sum(n.total_minor) > i.total_minor
"""

CORRECTED = Invariant(
    code="L8",
    meaning="No line is credited beyond what it charged, no invoice refunded beyond what was paid and uncredited.",
    counted="SELECT count(*) FROM billing.invoice_line",
    checks=(
        finds(_CREDITED_BEYOND),
        finds(_CREDITED_AFTER_A_REFUND),
        finds(_REFUNDED_BEYOND),
        finds(_NOTED_BEYOND),
    ),
)
