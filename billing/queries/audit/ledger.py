"""Ledger: every entry balances, so does the whole, and receivables agree with the documents and the charges.

Postings are read once each in the order of their primary key; entries by `ix_ledger_entry_invoice_id`.
"""

from __future__ import annotations

from billing.queries.audit.invariant import Invariant, finds

_ENTRIES = """
SELECT 'ledger_entry', e.id, format('%s sides, off by %s %s', count(p.entry_id), sum(p.total), max(p.currency))
FROM billing.ledger_entry e
LEFT JOIN (
    SELECT entry_id, currency, sum(amount_minor) AS total, count(*) AS sides
    FROM billing.posting GROUP BY entry_id, currency) p ON p.entry_id = e.id
GROUP BY e.id
HAVING coalesce(sum(p.sides), 0) < 2 OR bool_or(p.total <> 0)
"""

_WHOLE = """
SELECT 'seller', seller_id, format('the ledger is off by %s %s', sum(amount_minor), currency)
FROM billing.posting
GROUP BY seller_id, currency
HAVING sum(amount_minor) <> 0
"""

_RECEIVABLE = """
SELECT 'invoice', i.id, format('%s %s, receivable %s %s', i.number, i.status, coalesce(r.owed, 0), i.currency)
FROM billing.invoice i
LEFT JOIN (
    SELECT CASE d.kind WHEN 'cancellation' THEN d.corrects_id ELSE d.id END AS invoice_id, sum(p.amount_minor) AS owed
    FROM billing.ledger_entry e
    JOIN billing.posting p ON p.entry_id = e.id
    JOIN billing.invoice d ON d.id = e.invoice_id
    WHERE p.account = 'receivable'
    GROUP BY 1) r ON r.invoice_id = i.id
WHERE i.kind = 'invoice'
  AND CASE WHEN i.status = 'open' THEN coalesce(r.owed, 0) = 0 ELSE coalesce(r.owed, 0) <> 0 END
"""

_CHARGES = """
WITH charge AS (
    SELECT seller_id, charge_ref FROM billing.payment WHERE status = 'succeeded'
    UNION
    SELECT seller_id, charge_ref FROM billing.unapplied_payment
), entry AS (
    SELECT seller_id, charge_ref, count(*) AS entries, min(id::text) AS id
    FROM billing.ledger_entry
    WHERE kind IN ('payment', 'unapplied_payment')
    GROUP BY seller_id, charge_ref
)
SELECT CASE WHEN charge.charge_ref IS NULL THEN 'ledger_entry' ELSE 'charge' END,
       coalesce(charge.charge_ref, entry.id),
       CASE WHEN charge.charge_ref IS NULL THEN 'an entry of money without a charge'
            ELSE format('a charge with %s entries', coalesce(entry.entries, 0)) END
FROM charge
FULL JOIN entry ON entry.seller_id = charge.seller_id AND entry.charge_ref = charge.charge_ref
WHERE charge.charge_ref IS NULL OR entry.entries IS DISTINCT FROM 1
"""

_ATTEMPTS = """
SELECT 'ledger_entry', e.id, format('names attempt %s, whose charge or invoice is another', e.payment_id)
FROM billing.ledger_entry e
JOIN billing.payment p ON p.id = e.payment_id
WHERE e.kind = 'payment'
  AND (p.status <> 'succeeded' OR p.charge_ref IS DISTINCT FROM e.charge_ref
       OR p.invoice_id IS DISTINCT FROM e.invoice_id)
"""

_BALANCES = """
SELECT 'profile', coalesce(b.profile_id, p.profile_id),
       format('its balance is %s %s, its account in the books %s', coalesce(b.amount_minor, 0),
              coalesce(b.currency, p.currency), coalesce(p.amount, 0))
FROM billing.credit_balance b
FULL JOIN (
    SELECT e.profile_id, p.currency, -sum(p.amount_minor) AS amount
    FROM billing.posting p
    JOIN billing.ledger_entry e ON e.id = p.entry_id
    WHERE p.account = 'customer_credit'
    GROUP BY e.profile_id, p.currency) p ON p.profile_id = b.profile_id AND p.currency = b.currency
WHERE coalesce(b.amount_minor, 0) <> coalesce(p.amount, 0)
"""

LEDGER = (
    Invariant(
        code="L1",
        meaning="Every ledger entry has at least two sides and balances in each currency.",
        counted="SELECT count(*) FROM billing.ledger_entry",
        checks=(finds(_ENTRIES),),
    ),
    Invariant(
        code="L2",
        meaning="Each seller's whole ledger balances in each currency.",
        counted="SELECT count(*) FROM billing.posting",
        checks=(finds(_WHOLE),),
    ),
    Invariant(
        code="L5",
        meaning="Nothing is owed on exactly those invoices that are settled; every charge has one entry in the books.",
        counted="SELECT count(*) FROM billing.invoice",
        checks=(finds(_RECEIVABLE), finds(_CHARGES), finds(_ATTEMPTS)),
    ),
)
