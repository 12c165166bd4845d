"""Collection: no debt is forgotten. Open documents are found by their status in one pass over `invoice`."""

from __future__ import annotations

from billing.queries.audit.invariant import Invariant, finds

_FORGOTTEN = """
SELECT 'invoice', i.id, format('%s, %s %s, has no next try', i.number, i.amount_remaining_minor, i.currency)
FROM billing.invoice i
JOIN billing.subscription s ON s.id = i.subscription_id
LEFT JOIN billing.profile p ON p.id = i.profile_id
LEFT JOIN billing.payment a
  ON a.invoice_id = i.id AND a.status IN ('prepared', 'sent', 'unknown', 'processing', 'requires_action')
WHERE i.kind = 'invoice' AND i.status = 'open' AND i.collection = 'automatic'
  AND i.next_attempt_at IS NULL AND i.final_decision IS NULL AND a.id IS NULL
  AND s.status IN ('active', 'past_due')
  AND NOT EXISTS (
    SELECT FROM billing.work_item w
    WHERE w.status IN ('open', 'parked')
      AND (w.id IN (i.hold_id, p.hold_id, s.hold_id) OR w.subject_id = i.id))
"""

COLLECTION = (
    Invariant(
        code="C1",
        meaning="Every open invoice of a running subscription has a next try, a final decision, a hold or a work item.",
        counted="SELECT count(*) FROM billing.invoice WHERE status = 'open' AND collection = 'automatic'",
        checks=(finds(_FORGOTTEN),),
    ),
)
