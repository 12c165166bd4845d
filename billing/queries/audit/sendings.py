"""Sendings: what was asked of the provider is ours, under keys of its own, in order, and only while money was due.

Attempts are read in the order of their unique index (invoice_id, attempt_no), writes by their unique key; the witness's
rows are joined by hashing.
"""

from __future__ import annotations

from billing.kernel.status import OPEN_PAYMENT
from billing.queries.audit.invariant import Invariant, finds

_OPEN = ", ".join(f"'{status}'" for status in sorted(OPEN_PAYMENT))

_KEYS = """
SELECT 'payment', min(payment_id::text), format('key %s belongs to %s steps', key, count(*))
FROM billing.provider_write
GROUP BY key HAVING count(*) > 1
UNION ALL
SELECT 'payment', payment_id::text, format('step %s has %s keys', step, count(*))
FROM billing.provider_write
GROUP BY payment_id, step HAVING count(*) > 1
UNION ALL
SELECT 'payment', payment_id::text, format('step %s has the key %s, which is not its own', step, key)
FROM billing.provider_write
WHERE key <> payment_id || CASE step WHEN 'charge' THEN '' ELSE ':' || step END
UNION ALL
SELECT 'payment', p.id::text, 'was sent without a key on record'
FROM billing.payment p
LEFT JOIN billing.provider_write w ON w.payment_id = p.id AND w.step = 'charge'
WHERE p.first_sent_at IS NOT NULL AND w.id IS NULL
"""

# What moves money. A method that is taken up again after a day is attached again under its own key, which moves none.
_EXECUTED_TWICE = """
SELECT 'key', key, format('executed %s times, under %s sets of parameters',
                          count(*) FILTER (WHERE outcome = 'executed'), count(DISTINCT parameter_hash))
FROM witness_request
WHERE key IS NOT NULL AND path LIKE ANY(ARRAY['/v1/payment_intents%', '/v1/refunds%', '/v2/checkout/orders%',
                                              '/v2/payments/captures/%'])
GROUP BY provider_account_id, key
HAVING count(*) FILTER (WHERE outcome = 'executed') > 1 OR count(DISTINCT parameter_hash) > 1
"""

# The request behind an adopted charge was made by somebody else, or before a backup was restored. One that confirms an
# intent names it in its path; one that makes an order is known by the key of what came of it.
_NOT_OURS = """
WITH adopted AS (
    SELECT DISTINCT i.provider_account_id, i.intent_ref FROM billing.payment p
    JOIN billing.payment_intent i ON i.id = p.payment_intent_id WHERE p.kind = 'adopted'
)
SELECT 'request', r.request_ref, format('%s to %s under %s', r.outcome, r.path, coalesce('key ' || r.key, 'no key'))
FROM witness_request r
LEFT JOIN billing.provider_write w ON w.key = r.key
WHERE r.path LIKE ANY(ARRAY['/v1/payment_intents%', '/v2/checkout/orders%'])
  AND w.id IS NULL
  AND NOT EXISTS (SELECT FROM adopted a WHERE a.intent_ref = split_part(r.path, '/', 4))
  AND NOT EXISTS (SELECT FROM adopted a JOIN witness_charge g USING (provider_account_id, intent_ref)
                  WHERE g.key = r.key AND g.provider_account_id = r.provider_account_id)
"""

_OVERTAKEN = f"""
SELECT 'payment', id, format('attempt %s ended %s, the next was opened %s', attempt_no,
                             coalesce(closed_at::text, 'never'), next_opened_at)
FROM (SELECT id, attempt_no, closed_at, lead(opened_at) OVER attempts AS next_opened_at
      FROM billing.payment WINDOW attempts AS (PARTITION BY invoice_id ORDER BY attempt_no)) p
WHERE next_opened_at IS NOT NULL AND (closed_at IS NULL OR closed_at > next_opened_at)
UNION ALL
SELECT 'payment', id, format('attempt %s ended %s without evidence', attempt_no, status)
FROM billing.payment
WHERE first_sent_at IS NOT NULL AND closed_at IS NOT NULL AND evidence IS NULL
UNION ALL
SELECT 'invoice', invoice_id, format('%s open attempts: %s', count(*), string_agg(id::text, ', ' ORDER BY id))
FROM billing.payment WHERE status IN ({_OPEN})
GROUP BY invoice_id HAVING count(*) > 1
"""  # noqa: S608 (our own names)

# Requests are numbered by each provider's witness, so those to two providers have no order.
_SENT_AFTER_THE_NEXT = """
WITH sent AS (
    SELECT w.payment_id, min(r.seq) AS first, max(r.seq) FILTER (WHERE w.step = 'charge') AS last
    FROM witness_request r
    JOIN billing.provider_write w ON w.key = r.key
    GROUP BY w.payment_id
)
SELECT 'payment', id, format('attempt %s was sent by request %s, after request %s of the next', attempt_no, last,
                             next_first)
FROM (SELECT p.id, p.attempt_no, sent.last,
             min(sent.first) OVER (PARTITION BY p.invoice_id, p.provider_account_id ORDER BY p.attempt_no
                                   ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS next_first
      FROM sent JOIN billing.payment p ON p.id = sent.payment_id) s
WHERE last > next_first
"""

# A note against its debt settles an invoice, too; one that goes into the balance or back to the customer does not. An
# attempt that a restored database had lost was of an issued invoice, which may be the draft that it was before.
_SENT_WHEN_CLOSED = """
SELECT 'payment', p.id, format('first sent at %s, %s was %s since %s', p.first_sent_at, i.number, i.status, c.closed_at)
FROM billing.payment p
JOIN billing.invoice i ON i.id = p.invoice_id AND i.status IN ('paid', 'void', 'uncollectible', 'replaced')
JOIN (SELECT invoice_id, max(at) AS closed_at
      FROM (SELECT invoice_id, effective_at AS at FROM billing.ledger_entry
            WHERE kind NOT IN ('issue', 'unapplied_payment') AND kind NOT LIKE 'refund%' AND kind NOT LIKE 'dispute%'
            UNION ALL SELECT corrects_id, issued_at FROM billing.invoice WHERE kind = 'cancellation'
            UNION ALL
            SELECT n.corrects_id, e.effective_at
            FROM billing.invoice n
            JOIN billing.ledger_entry e ON e.invoice_id = n.id AND e.kind = 'issue'
            JOIN billing.posting p ON p.entry_id = e.id AND p.account = 'receivable'
            WHERE n.kind = 'credit_note' AND n.corrects_id IS NOT NULL) settling
      GROUP BY invoice_id) c
  ON c.invoice_id = i.id
WHERE p.first_sent_at > c.closed_at
UNION ALL
SELECT 'payment', p.id, format('sent although attempt %s had brought the whole amount', paid.attempt_no)
FROM billing.payment p
JOIN billing.payment paid
  ON paid.invoice_id = p.invoice_id AND paid.attempt_no < p.attempt_no AND paid.status = 'succeeded'
JOIN billing.invoice i ON i.id = p.invoice_id AND paid.amount_minor >= i.amount_due_minor
WHERE p.first_sent_at IS NOT NULL
UNION ALL
SELECT 'payment', p.id, 'sent for a draft that no subscription waits for'
FROM billing.payment p
JOIN billing.invoice i ON i.id = p.invoice_id AND i.status = 'draft'
LEFT JOIN billing.subscription s ON s.id = i.subscription_id
WHERE p.first_sent_at IS NOT NULL AND NOT p.revived AND s.status IS DISTINCT FROM 'incomplete'
  -- Billed while its subscription waited: another draft's payment, which came first, has begun that meanwhile.
  AND NOT EXISTS (SELECT FROM billing.invoice n
                  WHERE n.subscription_id = s.id AND n.status = 'paid' AND NOT n.on_schedule
                    AND n.issued_at >= i.period_start)
"""

_SENT_AFTER_THE_MONEY = """
WITH sent AS (
    SELECT w.payment_id, min(r.seq) AS first
    FROM witness_request r
    JOIN billing.provider_write w ON w.key = r.key AND w.step = 'charge'
    GROUP BY w.payment_id
), moved AS (
    SELECT p.invoice_id, p.provider_account_id, min(r.seq) AS at
    FROM witness_charge g
    JOIN billing.provider_write w ON w.key = g.key
    JOIN billing.payment p ON p.id = w.payment_id
    JOIN billing.invoice i ON i.id = p.invoice_id AND g.amount_minor >= i.amount_due_minor
    JOIN witness_request r ON r.key = g.key AND r.outcome = 'executed'
    WHERE g.status = 'succeeded'
    GROUP BY p.invoice_id, p.provider_account_id
)
SELECT 'payment', p.id, format('first sent by request %s, request %s had brought the whole amount', sent.first,
                               moved.at)
FROM sent
JOIN billing.payment p ON p.id = sent.payment_id
JOIN moved ON moved.invoice_id = p.invoice_id AND moved.provider_account_id = p.provider_account_id
WHERE sent.first > moved.at
"""

_ATTEMPTS = "SELECT count(*) FROM billing.payment"

OWN_KEYS = Invariant(
    code="P3",
    meaning="Each step of an attempt has a key of its own, under which one thing was asked and done once.",
    counted="SELECT count(*) FROM billing.provider_write",
    checks=(finds(_KEYS),),
    witnessed=(finds(_EXECUTED_TWICE), finds(_NOT_OURS)),
)

ONE_AFTER_ANOTHER = Invariant(
    code="P4",
    meaning="An attempt ends, with evidence, before the next one begins.",
    counted=_ATTEMPTS,
    checks=(finds(_OVERTAKEN),),
    witnessed=(finds(_SENT_AFTER_THE_NEXT),),
)

ONLY_WHILE_OPEN = Invariant(
    code="P7",
    meaning="No attempt was first sent for an invoice that was not open.",
    counted=_ATTEMPTS,
    checks=(finds(_SENT_WHEN_CLOSED),),
    witnessed=(finds(_SENT_AFTER_THE_MONEY),),
)
