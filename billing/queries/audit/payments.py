"""Payments: nobody is charged twice, no charge is lost, and each is for the right amount.

Attempts and intents are read in one pass each, ledger entries by `ix_ledger_entry_invoice_id`; the witness's rows are
joined by hashing.
"""

from __future__ import annotations

from billing.kernel.status import OPEN_PAYMENT
from billing.queries.audit.invariant import Invariant, finds
from billing.queries.audit.returns import DISPUTES_DIFFER, REFUNDS_DIFFER
from billing.queries.audit.sendings import ONE_AFTER_ANOTHER, ONLY_WHILE_OPEN, OWN_KEYS

_OPEN = ", ".join(f"'{status}'" for status in sorted(OPEN_PAYMENT))

_CHARGES = """
    SELECT invoice_id, charge_ref, max(amount_minor) AS amount_minor
    FROM (SELECT invoice_id, provider_account_id, charge_ref, amount_minor, false AS returned
          FROM billing.payment WHERE status = 'succeeded'
          UNION ALL
          SELECT invoice_id, provider_account_id, charge_ref, amount_minor, status = 'refunded'
          FROM billing.unapplied_payment WHERE invoice_id IS NOT NULL) each
    GROUP BY invoice_id, provider_account_id, charge_ref
    HAVING NOT bool_or(returned)
"""

# Charges are named, and put in order, of the accused alone.
_CHARGED_TWICE = f"""
SELECT 'invoice', twice.invoice_id, format('%s charges that succeeded, together %s: %s', twice.charges, twice.moved,
                                           (SELECT string_agg(named.charge_ref, ', ' ORDER BY named.charge_ref)
                                            FROM ({_CHARGES}) named WHERE named.invoice_id = twice.invoice_id))
FROM (
    SELECT c.invoice_id, count(*) AS charges, sum(c.amount_minor) AS moved
    FROM ({_CHARGES}) c
    JOIN billing.invoice i ON i.id = c.invoice_id
    GROUP BY c.invoice_id
    HAVING count(*) > 1 OR sum(c.amount_minor) > max(i.amount_due_minor)) twice
"""  # noqa: S608 (our own names)

# What of a charge was kept apart and settled another way, or taken by a dispute, is as good as refunded.
_MOVED_TWICE = """
SELECT 'invoice', m.invoice_id, format('%s charges at the provider, together %s, due %s: %s', m.charges, m.moved,
                                       i.amount_due_minor, m.refs)
FROM (
    SELECT coalesce(g.invoice_id, pi.invoice_id) AS invoice_id, count(*) AS charges,
           sum(g.amount_minor - g.refunded_minor - coalesce(s.settled, 0)) AS moved,
           string_agg(g.charge_ref, ', ' ORDER BY g.charge_ref) AS refs
    FROM witness_charge g
    LEFT JOIN billing.payment_intent pi
      ON pi.provider_account_id = g.provider_account_id AND pi.intent_ref = g.intent_ref
    LEFT JOIN (
        SELECT u.provider_account_id, u.charge_ref, sum(p.amount_minor) AS settled
        FROM billing.unapplied_payment u
        JOIN billing.ledger_entry e ON e.seller_id = u.seller_id AND e.charge_ref = u.charge_ref
        JOIN billing.posting p ON p.entry_id = e.id AND p.currency = u.currency
        WHERE e.kind IN ('unapplied_settled', 'dispute_lost', 'dispute_regained') AND p.account = 'unapplied_payments'
           OR e.kind = 'refund_settled' AND p.account = 'refunds_in_flight'
        GROUP BY u.provider_account_id, u.charge_ref) s
      ON s.provider_account_id = g.provider_account_id AND s.charge_ref = g.charge_ref
    WHERE g.status = 'succeeded' AND g.amount_minor > g.refunded_minor + coalesce(s.settled, 0)
    GROUP BY 1) m
JOIN billing.invoice i ON i.id = m.invoice_id
WHERE m.charges > 1 OR m.moved > i.amount_due_minor
"""

_TWO_INTENTS = """
SELECT 'invoice', pi.invoice_id, format('%s intents that may move or have moved money: %s', count(DISTINCT pi.id),
                                        string_agg(DISTINCT coalesce(pi.intent_ref, pi.id::text), ', '))
FROM billing.payment_intent pi
LEFT JOIN billing.payment p ON p.payment_intent_id = pi.id AND p.status IN ('processing', 'succeeded')
WHERE pi.status IN ('open', 'succeeded') OR p.id IS NOT NULL
GROUP BY pi.invoice_id
HAVING count(DISTINCT pi.id) > 1
"""

# What a spent intent moved was kept apart, and a person looked before its successor moved anything.
_TWO_MOVING = """
SELECT 'invoice', m.invoice_id, format('%s intents at the provider moved money or are about to: %s', count(*),
                                       string_agg(m.intent_ref, ', ' ORDER BY m.intent_ref))
FROM (
    SELECT coalesce(g.invoice_id, pi.invoice_id) AS invoice_id, g.intent_ref
    FROM witness_intent g
    LEFT JOIN billing.payment_intent pi
      ON pi.provider_account_id = g.provider_account_id AND pi.intent_ref = g.intent_ref
    LEFT JOIN (SELECT DISTINCT intent_ref FROM witness_charge WHERE status IN ('succeeded', 'pending')) c
      ON c.intent_ref = g.intent_ref
    WHERE (g.status IN ('processing', 'requires_capture', 'succeeded') OR c.intent_ref IS NOT NULL)
      AND pi.status IS DISTINCT FROM 'spent') m
WHERE m.invoice_id IS NOT NULL
GROUP BY m.invoice_id
HAVING count(*) > 1
"""

_OURS = """
WITH ours AS (
    SELECT p.provider_account_id, p.charge_ref, p.amount_minor, p.currency, p.customer_ref, pi.intent_ref, p.updated_at
    FROM billing.payment p
    JOIN billing.payment_intent pi ON pi.id = p.payment_intent_id
    JOIN witness_account a ON a.provider_account_id = p.provider_account_id
    WHERE p.status = 'succeeded'
    UNION ALL
    SELECT u.provider_account_id, u.charge_ref, u.amount_minor, u.currency, NULL, NULL, u.updated_at
    FROM billing.unapplied_payment u
    JOIN witness_account a ON a.provider_account_id = u.provider_account_id
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

# Where no charge is claimed twice, the attempts are not read again.
_BOOKED_DIFFERENTLY = """
WITH claimed AS (
    SELECT provider_account_id, charge_ref FROM billing.payment WHERE charge_ref IS NOT NULL
    GROUP BY provider_account_id, charge_ref HAVING count(*) > 1
)
SELECT 'charge', u.charge_ref, format('its attempt says %s %s, its unapplied payment %s %s', p.amount_minor, p.currency,
                                      u.amount_minor, u.currency)
FROM billing.unapplied_payment u
JOIN billing.payment p ON p.provider_account_id = u.provider_account_id AND p.charge_ref = u.charge_ref
WHERE (p.amount_minor, p.currency) <> (u.amount_minor, u.currency)
UNION ALL
SELECT 'charge', charge_ref, format('claimed by %s attempts: %s', count(*), string_agg(id::text, ', ' ORDER BY id))
FROM billing.payment JOIN claimed USING (provider_account_id, charge_ref)
WHERE EXISTS (SELECT FROM claimed)
GROUP BY provider_account_id, charge_ref
"""

STEPS = (
    *(("stripe", currency, 10) for currency in ("bhd", "jod", "kwd", "omr", "tnd")),
    ("stripe", "mga", 100), ("paypal", "huf", 100), ("paypal", "twd", 100),
)  # fmt: skip
"""(provider, currency, minor units): it moves whole multiples of so many. The audit's own table: see the adapters'."""

# What came before the attempt: entries of earlier attempts, and of other ways of settling, before it was opened.
# A credit note against the debt is one of those.
_WRONG_AMOUNT = f"""
SELECT 'payment', p.id, format('asked for %s %s, its invoice wanted %s %s', p.amount_minor, p.currency,
                               due.minor, i.currency)
FROM billing.payment p
JOIN billing.invoice i ON i.id = p.invoice_id
LEFT JOIN (
    SELECT p.id, -sum(side.amount_minor) AS settled
    FROM billing.payment p
    JOIN (SELECT invoice_id, id, payment_id, effective_at FROM billing.ledger_entry WHERE kind <> 'issue'
          UNION ALL SELECT d.corrects_id, e.id, NULL, e.effective_at FROM billing.invoice d
          JOIN billing.ledger_entry e ON e.invoice_id = d.id AND e.kind = 'issue'
          WHERE d.kind = 'credit_note' AND d.corrects_id IS NOT NULL) e
      ON e.invoice_id = p.invoice_id AND e.payment_id IS DISTINCT FROM p.id
    JOIN billing.posting side ON side.entry_id = e.id AND side.account = 'receivable'
    LEFT JOIN billing.payment other ON other.id = e.payment_id
    WHERE CASE WHEN other.id IS NULL THEN (e.effective_at, e.id) < (p.opened_at, p.id)
               ELSE other.attempt_no < p.attempt_no END
    GROUP BY p.id) s ON s.id = p.id
JOIN billing.provider_account a ON a.id = p.provider_account_id
LEFT JOIN (VALUES {", ".join(map(str, STEPS))}) t (provider, currency, step)
  ON (t.provider, t.currency) = (a.provider, p.currency)
CROSS JOIN LATERAL (SELECT i.amount_due_minor - coalesce(s.settled, 0)) due (minor)
WHERE p.currency <> i.currency OR p.amount_minor NOT IN (due.minor, due.minor - due.minor % coalesce(t.step, 1))
"""  # noqa: S608 (our own names)

_ANOTHER_AMOUNT = """
SELECT 'payment', p.id, format('asked for %s %s, charge %s was for %s %s', p.amount_minor, p.currency, g.charge_ref,
                               g.amount_minor, g.currency)
FROM witness_charge g
JOIN billing.provider_write w ON w.key = g.key
JOIN billing.payment p ON p.id = w.payment_id
WHERE (g.amount_minor, g.currency) <> (p.amount_minor, p.currency)
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
    OWN_KEYS,
    ONE_AFTER_ANOTHER,
    Invariant(
        code="P5",
        meaning="The charges, refunds and disputes in our books and those at the provider are the same ones.",
        counted=_ATTEMPTS,
        checks=(finds(_BOOKED_DIFFERENTLY),),
        witnessed=(
            finds(_NOT_IN_THE_BOOKS),
            finds(_NOT_AT_THE_PROVIDER),
            finds(REFUNDS_DIFFER),
            finds(DISPUTES_DIFFER),
        ),
    ),
    Invariant(
        code="P6",
        meaning="Each attempt asked for exactly what was still due on its invoice, in whole steps of the provider's.",
        counted=_ATTEMPTS,
        checks=(finds(_WRONG_AMOUNT),),
        witnessed=(finds(_ANOTHER_AMOUNT),),
    ),
    ONLY_WHILE_OPEN,
)
