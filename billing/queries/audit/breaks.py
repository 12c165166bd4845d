"""Breaks: what the books hold at the provider is what the provider moved, or the difference is known and open.

Which charges there are at all is P5's; here each charge that both sides have is compared by its sum. Entries are read
by `ix_ledger_entry_invoice_id` and once over, the witness's rows joined by hashing.
"""

from __future__ import annotations

from billing.queries.audit.invariant import Invariant, finds

_NOBODY_LOOKS = """
SELECT 'difference', d.id, format('%s of %s stands open, its work item does not', d.kind, d.object_ref)
FROM billing.difference d
LEFT JOIN billing.work_item w ON w.subject_id = d.id AND w.kind = d.kind AND w.status IN ('open', 'parked')
WHERE d.resolved_at IS NULL AND w.id IS NULL
"""

# A refund on its way has left at the provider and not yet in the books; its row waits and is asked about.
_CLEARING = """
WITH booked AS (
    SELECT charge_ref, sum(amount_minor) AS amount_minor
    FROM (SELECT e.charge_ref, s.amount_minor
          FROM billing.ledger_entry e
          JOIN billing.posting s ON s.entry_id = e.id AND s.account = 'provider_clearing'
          WHERE e.kind IN ('payment', 'unapplied_payment')
          UNION ALL
          SELECT coalesce(p.charge_ref, e.charge_ref), s.amount_minor
          FROM billing.ledger_entry e
          JOIN billing.posting s ON s.entry_id = e.id AND s.account = 'provider_clearing'
          LEFT JOIN billing.payment p ON p.id = e.payment_id
          WHERE e.kind = 'refund_sent') moved
    GROUP BY charge_ref
)
SELECT 'charge', g.charge_ref, format('the books hold %s of it at the provider, the provider %s', b.amount_minor,
                                      g.amount_minor - g.refunded_minor)
FROM witness_charge g
JOIN booked b ON b.charge_ref = g.charge_ref
WHERE g.status = 'succeeded' AND b.amount_minor <> g.amount_minor - g.refunded_minor
  AND NOT EXISTS (SELECT FROM billing.refund f WHERE f.charge_ref = g.charge_ref
                  AND (f.status IN ('pending', 'requires_action') OR f.updated_at >= :witness_from))
  AND NOT EXISTS (SELECT FROM billing.difference d WHERE d.object_ref = g.charge_ref AND d.resolved_at IS NULL)
  AND NOT EXISTS (SELECT FROM billing.difference d JOIN billing.payment p ON p.invoice_id = d.invoice_id
                  WHERE p.charge_ref = g.charge_ref AND d.kind LIKE 'refund%' AND d.resolved_at IS NULL)
"""

BREAKS = (
    Invariant(
        code="L6",
        meaning="What the books hold at the provider is what it moved, or each difference is open with a work item.",
        counted="SELECT (SELECT count(*) FROM billing.payment) + (SELECT count(*) FROM billing.difference)",
        checks=(finds(_NOBODY_LOOKS),),
        witnessed=(finds(_CLEARING),),
    ),
)
