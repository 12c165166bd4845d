"""Returns: refunds and disputes, ours and the provider's, are the same ones.

Refunds are read by payment in one pass, disputes by their index; the witness's rows are joined by hashing.
"""

from __future__ import annotations

# A refund whose answer is still awaited may stand at the provider alone. Made by hand in the dashboard, it is nobody's.
REFUNDS_DIFFER = """
SELECT 'refund', coalesce(r.id::text, g.refund_ref),
       CASE WHEN r.id IS NULL THEN format('the provider has %s of %s %s, we have none', g.refund_ref, g.amount_minor,
                                          g.currency)
            WHEN g.refund_ref IS NULL THEN format('we say %s of %s %s is %s, the provider has no such refund',
                                                  r.refund_ref, r.amount_minor, r.currency, r.status)
            ELSE format('ours is %s %s %s, the provider says %s %s %s', r.amount_minor, r.currency, r.status,
                        g.amount_minor, g.currency, g.status) END
FROM (SELECT r.* FROM billing.refund r
      JOIN witness_account a ON a.provider_account_id = r.provider_account_id
      WHERE r.refund_ref IS NOT NULL AND r.updated_at < :witness_from) r
FULL JOIN witness_refund g ON g.provider_account_id = r.provider_account_id AND g.refund_ref = r.refund_ref
LEFT JOIN billing.refund waiting
  ON g.refund_id = waiting.id AND (waiting.refund_ref IS NULL OR waiting.updated_at >= :witness_from)
WHERE waiting.id IS NULL
  AND (r.id IS NULL OR g.refund_ref IS NULL OR (r.amount_minor, r.currency) <> (g.amount_minor, g.currency)
       OR (r.status <> g.status AND r.status = 'succeeded' AND g.status NOT IN ('failed')))
"""

# An event that is still to be handled brings the rest.
DISPUTES_DIFFER = """
SELECT 'dispute', coalesce(d.id::text, g.dispute_ref),
       CASE WHEN d.id IS NULL THEN format('the provider has %s of %s, %s %s, took %s, gave back %s; we have none',
                                           g.dispute_ref, g.charge_ref, g.amount_minor, g.currency, g.withdrawn_minor,
                                           g.reinstated_minor)
            WHEN g.dispute_ref IS NULL THEN format('we say %s of %s %s is %s, took %s; the provider has none',
                                                   d.dispute_ref, d.amount_minor, d.currency, d.status,
                                                   d.withdrawn_minor)
            ELSE format('ours of %s, %s %s, is %s, took %s, gave back %s; the provider says %s, %s %s, %s, %s, %s',
                        d.charge_ref, d.amount_minor, d.currency, d.status, d.withdrawn_minor, d.reinstated_minor,
                        g.charge_ref, g.amount_minor, g.currency, g.status, g.withdrawn_minor, g.reinstated_minor) END
FROM (SELECT d.* FROM billing.dispute d
      JOIN witness_account a ON a.provider_account_id = d.provider_account_id
      WHERE d.updated_at < :witness_from) d
FULL JOIN (SELECT w.* FROM witness_dispute w
           WHERE EXISTS (SELECT FROM billing.payment p WHERE p.charge_ref = w.charge_ref)
              OR EXISTS (SELECT FROM billing.unapplied_payment u WHERE u.charge_ref = w.charge_ref)) g
  ON g.provider_account_id = d.provider_account_id AND g.dispute_ref = d.dispute_ref
LEFT JOIN billing.provider_event e
  ON e.object_ref = g.dispute_ref AND e.status IN ('received', 'processing', 'dead')
LEFT JOIN billing.dispute newer ON newer.dispute_ref = g.dispute_ref AND newer.updated_at >= :witness_from
WHERE e.id IS NULL AND newer.id IS NULL
  AND (d.id IS NULL OR g.dispute_ref IS NULL
       OR (d.status, d.charge_ref, d.amount_minor, d.currency, d.withdrawn_minor, d.reinstated_minor)
          <> (g.status, g.charge_ref, g.amount_minor, g.currency, g.withdrawn_minor, g.reinstated_minor))
"""
