"""Payments: nobody is charged twice, no charge is lost, every sending is ours, in order, and for the right amount.

Attempts are read in the order of their unique index (invoice_id, attempt_no), ledger entries by
`ix_ledger_entry_invoice_id`, writes by their unique key; the witness's rows are joined by hashing.
"""

from __future__ import annotations

from billing.kernel.status import OPEN_PAYMENT
from billing.queries.audit.invariant import Invariant, finds

_OPEN = ", ".join(f"'{status}'" for status in sorted(OPEN_PAYMENT))

_CHARGED_TWICE = """
SELECT 'invoice', c.invoice_id, format('%s charges that succeeded, together %s', count(*), sum(c.amount_minor))
FROM (
    SELECT invoice_id, charge_ref, max(amount_minor) AS amount_minor
    FROM (SELECT invoice_id, provider_account_id, charge_ref, amount_minor, false AS returned
          FROM billing.payment WHERE status = 'succeeded'
          UNION ALL
          SELECT invoice_id, provider_account_id, charge_ref, amount_minor, status = 'refunded'
          FROM billing.unapplied_payment WHERE invoice_id IS NOT NULL) each
    GROUP BY invoice_id, provider_account_id, charge_ref
    HAVING NOT bool_or(returned)) c
JOIN billing.invoice i ON i.id = c.invoice_id
GROUP BY c.invoice_id
HAVING count(*) > 1 OR sum(c.amount_minor) > max(i.amount_due_minor)
"""

_MOVED_TWICE = """
SELECT 'invoice', m.invoice_id, format('%s charges at the provider, together %s, due %s', m.charges, m.moved,
                                       i.amount_due_minor)
FROM (
    SELECT coalesce(g.invoice_id, pi.invoice_id) AS invoice_id, count(*) AS charges,
           sum(g.amount_minor - g.refunded_minor) AS moved
    FROM witness_charge g
    LEFT JOIN billing.payment_intent pi
      ON pi.provider_account_id = g.provider_account_id AND pi.intent_ref = g.intent_ref
    WHERE g.status = 'succeeded' AND g.refunded_minor < g.amount_minor
    GROUP BY 1) m
JOIN billing.invoice i ON i.id = m.invoice_id
WHERE m.charges > 1 OR m.moved > i.amount_due_minor
"""

_TWO_INTENTS = """
SELECT 'invoice', pi.invoice_id, format('%s intents that may move or have moved money', count(DISTINCT pi.id))
FROM billing.payment_intent pi
LEFT JOIN billing.payment p ON p.payment_intent_id = pi.id AND p.status IN ('processing', 'succeeded')
WHERE pi.status IN ('open', 'succeeded') OR p.id IS NOT NULL
GROUP BY pi.invoice_id
HAVING count(DISTINCT pi.id) > 1
"""

_TWO_MOVING = """
SELECT 'invoice', m.invoice_id, format('%s intents at the provider moved money or are about to', count(*))
FROM (
    SELECT coalesce(g.invoice_id, pi.invoice_id) AS invoice_id
    FROM witness_intent g
    LEFT JOIN billing.payment_intent pi
      ON pi.provider_account_id = g.provider_account_id AND pi.intent_ref = g.intent_ref
    LEFT JOIN (SELECT DISTINCT intent_ref FROM witness_charge WHERE status IN ('succeeded', 'pending')) c
      ON c.intent_ref = g.intent_ref
    WHERE g.status IN ('processing', 'requires_capture', 'succeeded') OR c.intent_ref IS NOT NULL) m
WHERE m.invoice_id IS NOT NULL
GROUP BY m.invoice_id
HAVING count(*) > 1
"""

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

_EXECUTED_TWICE = """
SELECT 'key', key, format('executed %s times, under %s sets of parameters',
                          count(*) FILTER (WHERE outcome = 'executed'), count(DISTINCT parameter_hash))
FROM witness_request
WHERE key IS NOT NULL
GROUP BY provider_account_id, key
HAVING count(*) FILTER (WHERE outcome = 'executed') > 1 OR count(DISTINCT parameter_hash) > 1
"""

_NOT_OURS = """
SELECT 'request', r.request_ref, format('%s to %s under %s', r.outcome, r.path, coalesce('key ' || r.key, 'no key'))
FROM witness_request r
LEFT JOIN billing.provider_write w ON w.key = r.key
WHERE r.path LIKE '/v1/payment_intents%' AND w.id IS NULL
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
SELECT 'invoice', invoice_id, format('%s open attempts', count(*))
FROM billing.payment WHERE status IN ({_OPEN})
GROUP BY invoice_id HAVING count(*) > 1
"""  # noqa: S608 (our own names)

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
             min(sent.first) OVER (PARTITION BY p.invoice_id ORDER BY p.attempt_no
                                   ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS next_first
      FROM sent JOIN billing.payment p ON p.id = sent.payment_id) s
WHERE last > next_first
"""

_OURS = """
WITH ours AS (
    SELECT p.provider_account_id, p.charge_ref, p.amount_minor, p.currency, p.customer_ref, pi.intent_ref, p.updated_at
    FROM billing.payment p
    JOIN billing.payment_intent pi ON pi.id = p.payment_intent_id
    JOIN billing.provider_account a ON a.id = p.provider_account_id AND a.provider = 'stripe'
    WHERE p.status = 'succeeded'
    UNION ALL
    SELECT u.provider_account_id, u.charge_ref, u.amount_minor, u.currency, NULL, NULL, u.updated_at
    FROM billing.unapplied_payment u
    JOIN billing.provider_account a ON a.id = u.provider_account_id AND a.provider = 'stripe'
    LEFT JOIN billing.payment p
      ON p.provider_account_id = u.provider_account_id AND p.charge_ref = u.charge_ref AND p.status = 'succeeded'
    WHERE p.id IS NULL
)
"""

# An attempt whose outcome is still unknown is asked about; until then its charge may stand at the provider alone.
_NOT_IN_THE_BOOKS = (
    _OURS
    + f"""
SELECT 'charge', g.charge_ref,
       CASE WHEN o.charge_ref IS NULL THEN format('moved %s %s, we have no attempt for it', g.amount_minor, g.currency)
            ELSE format('moved %s %s of %s by %s, our attempt says %s %s of %s by %s', g.amount_minor, g.currency,
                        g.customer_ref, g.intent_ref, o.amount_minor, o.currency, o.customer_ref, o.intent_ref) END
FROM witness_charge g
LEFT JOIN ours o ON o.provider_account_id = g.provider_account_id AND o.charge_ref = g.charge_ref
LEFT JOIN billing.provider_write w ON w.key = g.key
LEFT JOIN billing.payment a ON a.id = w.payment_id AND a.status IN ({_OPEN})
LEFT JOIN billing.work_item t ON t.subject_id = a.id AND t.status IN ('open', 'parked')
WHERE g.status = 'succeeded'
  AND CASE WHEN o.charge_ref IS NULL
           THEN a.id IS NULL OR (a.first_sent_at < CAST(:now AS timestamptz) - interval '24 hours' AND t.id IS NULL)
           ELSE o.amount_minor <> g.amount_minor OR o.currency <> g.currency
                OR o.customer_ref <> g.customer_ref OR o.intent_ref <> g.intent_ref END
"""  # noqa: S608 (our own names)
)

_NOT_AT_THE_PROVIDER = (
    _OURS
    + """
SELECT 'charge', o.charge_ref, format('our books have %s %s, the provider has no such charge', o.amount_minor,
                                      o.currency)
FROM ours o
LEFT JOIN witness_charge g
  ON g.provider_account_id = o.provider_account_id AND g.charge_ref = o.charge_ref AND g.status = 'succeeded'
WHERE g.charge_ref IS NULL AND o.updated_at < :witness_from
"""
)

_BOOKED_DIFFERENTLY = """
SELECT 'charge', u.charge_ref, format('its attempt says %s %s, its unapplied payment %s %s', p.amount_minor, p.currency,
                                      u.amount_minor, u.currency)
FROM billing.unapplied_payment u
JOIN billing.payment p ON p.provider_account_id = u.provider_account_id AND p.charge_ref = u.charge_ref
WHERE (p.amount_minor, p.currency) <> (u.amount_minor, u.currency)
UNION ALL
SELECT 'charge', charge_ref, format('claimed by %s attempts', count(*))
FROM billing.payment WHERE charge_ref IS NOT NULL
GROUP BY provider_account_id, charge_ref HAVING count(*) > 1
"""

# What came before the attempt: entries of earlier attempts, and of other ways of settling, before it was opened.
_WRONG_AMOUNT = """
SELECT 'payment', p.id, format('asked for %s %s, its invoice wanted %s %s', p.amount_minor, p.currency,
                               i.amount_due_minor - coalesce(s.settled, 0), i.currency)
FROM billing.payment p
JOIN billing.invoice i ON i.id = p.invoice_id
LEFT JOIN (
    SELECT p.id, -sum(side.amount_minor) AS settled
    FROM billing.payment p
    JOIN billing.ledger_entry e
      ON e.invoice_id = p.invoice_id AND e.kind <> 'issue' AND e.payment_id IS DISTINCT FROM p.id
    JOIN billing.posting side ON side.entry_id = e.id AND side.account = 'receivable'
    LEFT JOIN billing.payment other ON other.id = e.payment_id
    WHERE CASE WHEN other.id IS NULL THEN e.effective_at < p.opened_at ELSE other.attempt_no < p.attempt_no END
    GROUP BY p.id) s ON s.id = p.id
WHERE p.currency <> i.currency OR p.amount_minor <> i.amount_due_minor - coalesce(s.settled, 0)
"""

_ANOTHER_AMOUNT = """
SELECT 'payment', p.id, format('asked for %s %s, charge %s was for %s %s', p.amount_minor, p.currency, g.charge_ref,
                               g.amount_minor, g.currency)
FROM witness_charge g
JOIN billing.provider_write w ON w.key = g.key
JOIN billing.payment p ON p.id = w.payment_id
WHERE (g.amount_minor, g.currency) <> (p.amount_minor, p.currency)
"""

_SENT_WHEN_CLOSED = """
SELECT 'payment', p.id, format('first sent at %s, %s was %s since %s', p.first_sent_at, i.number, i.status, c.closed_at)
FROM billing.payment p
JOIN billing.invoice i ON i.id = p.invoice_id AND i.status IN ('paid', 'void', 'uncollectible')
JOIN (SELECT invoice_id, max(effective_at) AS closed_at FROM billing.ledger_entry
      WHERE kind NOT IN ('issue', 'unapplied_payment') AND invoice_id IS NOT NULL GROUP BY invoice_id) c
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
WHERE p.first_sent_at IS NOT NULL AND s.status IS DISTINCT FROM 'incomplete'
"""

_SENT_AFTER_THE_MONEY = """
WITH sent AS (
    SELECT w.payment_id, min(r.seq) AS first
    FROM witness_request r
    JOIN billing.provider_write w ON w.key = r.key AND w.step = 'charge'
    GROUP BY w.payment_id
), moved AS (
    SELECT p.invoice_id, min(r.seq) AS at
    FROM witness_charge g
    JOIN billing.provider_write w ON w.key = g.key
    JOIN billing.payment p ON p.id = w.payment_id
    JOIN billing.invoice i ON i.id = p.invoice_id AND g.amount_minor >= i.amount_due_minor
    JOIN witness_request r ON r.key = g.key AND r.outcome = 'executed'
    WHERE g.status = 'succeeded'
    GROUP BY p.invoice_id
)
SELECT 'payment', p.id, format('first sent by request %s, request %s had brought the whole amount', sent.first,
                               moved.at)
FROM sent
JOIN billing.payment p ON p.id = sent.payment_id
JOIN moved ON moved.invoice_id = p.invoice_id
WHERE sent.first > moved.at
"""

_ATTEMPTS = "SELECT count(*) FROM billing.payment"

PAYMENTS = (
    Invariant(
        code="P1",
        meaning="No invoice was charged twice, or for more than was due.",
        counted=_ATTEMPTS,
        checks=(finds(_CHARGED_TWICE),),
        witnessed=(finds(_MOVED_TWICE),),
    ),
    Invariant(
        code="P2",
        meaning="At most one intent of an invoice ever moves money.",
        counted="SELECT count(*) FROM billing.payment_intent",
        checks=(finds(_TWO_INTENTS),),
        witnessed=(finds(_TWO_MOVING),),
    ),
    Invariant(
        code="P3",
        meaning="Each step of an attempt has a key of its own, under which one thing was asked and done once.",
        counted="SELECT count(*) FROM billing.provider_write",
        checks=(finds(_KEYS),),
        witnessed=(finds(_EXECUTED_TWICE), finds(_NOT_OURS)),
    ),
    Invariant(
        code="P4",
        meaning="An attempt ends, with evidence, before the next one begins.",
        counted=_ATTEMPTS,
        checks=(finds(_OVERTAKEN),),
        witnessed=(finds(_SENT_AFTER_THE_NEXT),),
    ),
    Invariant(
        code="P5",
        meaning="The charges in our books and those at the provider are the same ones.",
        counted=_ATTEMPTS,
        checks=(finds(_BOOKED_DIFFERENTLY),),
        witnessed=(finds(_NOT_IN_THE_BOOKS), finds(_NOT_AT_THE_PROVIDER)),
    ),
    Invariant(
        code="P6",
        meaning="Each attempt asked for exactly what was still due on its invoice, in the invoice's currency.",
        counted=_ATTEMPTS,
        checks=(finds(_WRONG_AMOUNT),),
        witnessed=(finds(_ANOTHER_AMOUNT),),
    ),
    Invariant(
        code="P7",
        meaning="No attempt was first sent for an invoice that was not open.",
        counted=_ATTEMPTS,
        checks=(finds(_SENT_WHEN_CLOSED),),
        witnessed=(finds(_SENT_AFTER_THE_MONEY),),
    ),
)
