"""Outcomes: nothing is called failed or left open without evidence, and in the end we say what the provider says.

Open attempts stand in the partial index `ix_payment_open_check`; intents are read once, the witness's rows by hashing.
"""

from __future__ import annotations

from billing.kernel.status import OPEN_PAYMENT
from billing.queries.audit.invariant import Invariant, finds

_OPEN = ", ".join(f"'{status}'" for status in sorted(OPEN_PAYMENT))

# A day (DECISIONS 22), and the time that the slowest question takes to come round.
_FORGOTTEN = """
SELECT 'payment', p.id, format('%s since it was first sent at %s, and nobody was told', p.status, p.first_sent_at)
FROM billing.payment p
LEFT JOIN billing.work_item t ON t.subject_id = p.id AND t.status IN ('open', 'parked')
WHERE p.status IN ('sent', 'unknown') AND p.first_sent_at < CAST(:now AS timestamptz) - interval '26 hours'
  AND t.id IS NULL
UNION ALL
SELECT 'payment', id, 'was declined, and nobody knows why'
FROM billing.payment
WHERE status = 'declined' AND decline_code IS NULL AND charge_ref IS NULL
"""

_NOT_FAILED = """
SELECT 'payment', p.id, format('is %s, its charge %s is %s at the provider', p.status, g.charge_ref, g.status)
FROM witness_charge g
JOIN billing.payment p ON p.provider_account_id = g.provider_account_id AND p.charge_ref = g.charge_ref
WHERE p.status IN ('declined', 'canceled', 'not_sent') AND g.status <> 'failed'
"""

# Rows that changed since the witness was read are newer than it; of an open attempt or a waiting event more is to come.
_ANOTHER_END = f"""
SELECT 'payment_intent', pi.id, format('%s is %s in our books, %s at the provider', pi.intent_ref, pi.status, g.status)
FROM witness_intent g
JOIN billing.payment_intent pi ON pi.provider_account_id = g.provider_account_id AND pi.intent_ref = g.intent_ref
WHERE ((pi.status IN ('succeeded', 'spent')) <> (g.status = 'succeeded')
       OR (pi.status = 'canceled' AND g.status <> 'canceled'))
  AND pi.updated_at < :witness_from
  AND NOT EXISTS (SELECT FROM billing.payment p WHERE p.payment_intent_id = pi.id AND p.status IN ({_OPEN}))
  AND NOT EXISTS (SELECT FROM billing.provider_event e
                  WHERE e.object_ref = pi.intent_ref AND (e.next_try_at IS NOT NULL OR e.status = 'dead'))
"""  # noqa: S608 (our own names)

EVIDENCE = Invariant(
    code="P10",
    meaning="No attempt waits for a day unless somebody was told; none is called failed whose charge did not fail.",
    counted="SELECT count(*) FROM billing.payment",
    checks=(finds(_FORGOTTEN),),
    witnessed=(finds(_NOT_FAILED),),
)

SAME_END = Invariant(
    code="E5",
    meaning="What became of each intent is the same in our books and at the provider, in whatever order it was told.",
    counted="SELECT count(*) FROM billing.payment_intent",
    witnessed=(finds(_ANOTHER_END),),
)
