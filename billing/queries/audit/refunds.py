"""Refunds: never more than was captured, in our books and at the provider.

Refunds are read in one pass, attempts by `uq_payment_charge_ref`; the witness's rows are joined by hashing.
"""

from __future__ import annotations

from billing.queries.audit.invariant import Invariant, finds

_BEYOND = """
SELECT 'charge', r.charge_ref, format('%s of %s are or will be refunded', r.total, p.amount_minor)
FROM (SELECT provider_account_id, charge_ref, sum(amount_minor) AS total FROM billing.refund
      WHERE status NOT IN ('failed', 'canceled') GROUP BY provider_account_id, charge_ref) r
JOIN billing.payment p ON p.provider_account_id = r.provider_account_id AND p.charge_ref = r.charge_ref
WHERE r.total > p.amount_minor
UNION ALL
SELECT 'refund', r.id::text, format('of charge %s in %s, its attempt has %s in %s', r.charge_ref, r.currency,
                                    p.charge_ref, p.currency)
FROM billing.refund r
JOIN billing.payment p ON p.id = r.payment_id
WHERE (r.charge_ref, r.currency) IS DISTINCT FROM (p.charge_ref, p.currency)
"""

# Whether each sum is the same in the books is L6's.
_BEYOND_AT_THE_PROVIDER = """
SELECT 'charge', charge_ref, format('%s of %s went back at the provider', refunded_minor, amount_minor)
FROM witness_charge WHERE refunded_minor > amount_minor
"""

_MADE_TWICE = """
SELECT 'refund', refund_id::text, format('%s refunds at the provider: %s', count(*),
                                         string_agg(refund_ref, ', ' ORDER BY refund_ref))
FROM witness_refund
WHERE refund_id IS NOT NULL AND status NOT IN ('failed', 'canceled')
GROUP BY refund_id HAVING count(*) > 1
"""

# Keys that a refund may be sent under: its id, then its id and a number. Only one of them may have made it. One whose
# row a restored database has lost stands in the books under another id, as taken over, and was never sent under that.
# Its own id, ordered by time, is older than the restore.
_UNDER_A_STRANGE_KEY = """
SELECT 'request', q.request_ref, format('a refund was asked for under %s', coalesce(q.key, 'no key'))
FROM witness_request q
LEFT JOIN billing.refund r
  ON q.key = 'refund-' || r.id OR (q.key LIKE 'refund-' || r.id || '-%' AND r.key_no > 1)
WHERE (q.path = '/v1/refunds' OR q.path LIKE '/v2/payments/captures/%/refund') AND r.id IS NULL
  AND NOT EXISTS (
      SELECT FROM witness_refund g
      JOIN billing.refund taken USING (provider_account_id, refund_ref)
      WHERE g.provider_account_id = q.provider_account_id AND 'refund-' || g.refund_id = q.key
        AND taken.id <> g.refund_id AND taken.first_sent_at IS NULL AND taken.key_no = 1
        AND g.refund_id < (SELECT id FROM billing.audit_trail WHERE action = 'database.restored'
                           ORDER BY id DESC LIMIT 1))
"""

REFUNDS = Invariant(
    code="P9",
    meaning="No charge was refunded beyond what it brought, and each refund of ours was made at most once.",
    counted="SELECT count(*) FROM billing.refund",
    checks=(finds(_BEYOND),),
    witnessed=(finds(_BEYOND_AT_THE_PROVIDER), finds(_MADE_TWICE), finds(_UNDER_A_STRANGE_KEY)),
)
