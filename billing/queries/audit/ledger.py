"""Ledger: every entry balances, so does the whole, and receivables agree with the documents and the charges.

Postings are read once each in the order of their primary key; entries by `ix_ledger_entry_invoice_id`.
"""

from __future__ import annotations

from billing.queries.audit.invariant import Invariant, finds
from billing.queries.audit.revenue import KEPT
from billing.queries.audit.seals import resealed
from billing.queries.audit.triggers import append_only

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

# A note or a cancellation settles the invoice that it corrects. What a lost dispute has reopened is owed as disputed
# until a person decides.
_OWED = """
WITH ledger AS (
    SELECT CASE d.kind WHEN 'invoice' THEN d.id ELSE d.corrects_id END AS invoice_id, sum(p.amount_minor) AS owed
    FROM billing.ledger_entry e
    JOIN billing.posting p ON p.entry_id = e.id
    JOIN billing.invoice d ON d.id = e.invoice_id
    WHERE p.account = 'receivable'
    GROUP BY 1
), disputed AS (
    SELECT invoice_id, sum(reopened_minor - repaid_minor) AS owed
    FROM billing.dispute WHERE reopened_minor > repaid_minor AND decision IS NULL GROUP BY invoice_id
)
"""

_SHOWN_DIFFERENTLY = (
    _OWED
    + """
SELECT 'invoice', i.id, format('%s %s shows %s to pay and %s disputed, receivable %s %s', i.number, i.status,
                               i.amount_remaining_minor, coalesce(d.owed, 0), coalesce(r.owed, 0), i.currency)
FROM billing.invoice i
LEFT JOIN ledger r ON r.invoice_id = i.id
LEFT JOIN disputed d ON d.invoice_id = i.id
WHERE i.kind = 'invoice' AND i.status NOT IN ('draft', 'expired')
  AND coalesce(r.owed, 0) <> coalesce(d.owed, 0)
      + CASE i.status WHEN 'open' THEN i.amount_remaining_minor ELSE 0 END
"""
)

_RECEIVABLE = (
    _OWED
    + """
SELECT 'invoice', i.id, format('%s %s, receivable %s %s', i.number, i.status, coalesce(r.owed, 0), i.currency)
FROM billing.invoice i
LEFT JOIN ledger r ON r.invoice_id = i.id
LEFT JOIN disputed d ON d.invoice_id = i.id
WHERE i.kind = 'invoice' AND d.invoice_id IS NULL
  AND CASE WHEN i.status = 'open' THEN coalesce(r.owed, 0) = 0 ELSE coalesce(r.owed, 0) <> 0 END
"""
)

# What an open dispute has taken stands on its account; a lost one has passed it on, a won one has given it back.
_DISPUTE_ACCOUNT = """
SELECT 'invoice', i.id, format('disputes have taken %s, given back %s; their account holds %s', d.taken, d.given,
                               coalesce(p.amount, 0))
FROM (SELECT invoice_id, sum(withdrawn_minor) AS taken, sum(reinstated_minor) AS given,
             sum(CASE WHEN status = 'lost' OR status = 'won' AND reinstated_minor > 0 THEN 0
                      ELSE withdrawn_minor - reinstated_minor END) AS holds
      FROM billing.dispute
      GROUP BY invoice_id
      HAVING bool_and(status <> 'won' OR decision IS NULL)) d
JOIN billing.invoice i ON i.id = d.invoice_id
LEFT JOIN (SELECT e.invoice_id, sum(p.amount_minor) AS amount
           FROM billing.posting p JOIN billing.ledger_entry e ON e.id = p.entry_id
           WHERE p.account = 'disputes' GROUP BY e.invoice_id) p ON p.invoice_id = d.invoice_id
WHERE d.holds <> coalesce(p.amount, 0)
"""

# Money that comes later pays what was given up first.
_GIVEN_UP = """
SELECT 'invoice', coalesce(d.invoice_id, w.invoice_id), format('its disputes show %s given up, the books hold %s',
                                                               coalesce(d.shown, 0), coalesce(w.held, 0))
FROM (SELECT invoice_id, sum(given_up_minor) AS shown FROM billing.dispute GROUP BY invoice_id) d
FULL JOIN (SELECT e.invoice_id, sum(p.amount_minor) AS held
           FROM billing.ledger_entry e JOIN billing.posting p ON p.entry_id = e.id AND p.account = 'write_off'
           WHERE e.kind IN ('dispute_write_off', 'dispute_write_off_back')
           GROUP BY e.invoice_id) w ON w.invoice_id = d.invoice_id
WHERE coalesce(d.shown, 0) <> coalesce(w.held, 0)
"""

# Where each charge has its one entry, entries are not read again to be named.
_CHARGES = """
WITH charge AS (
    SELECT seller_id, charge_ref FROM billing.payment WHERE status = 'succeeded'
    UNION
    SELECT seller_id, charge_ref FROM billing.unapplied_payment
), entry AS (
    SELECT seller_id, charge_ref, count(*) AS entries
    FROM billing.ledger_entry
    WHERE kind IN ('payment', 'unapplied_payment')
    GROUP BY seller_id, charge_ref
), accused AS (
    SELECT coalesce(charge.seller_id, entry.seller_id) AS seller_id, charge.charge_ref AS charge_ref,
           entry.charge_ref AS entered_ref, coalesce(entry.entries, 0) AS entries
    FROM charge
    FULL JOIN entry ON entry.seller_id = charge.seller_id AND entry.charge_ref = charge.charge_ref
    WHERE charge.charge_ref IS NULL OR entry.entries IS DISTINCT FROM 1
), named AS (
    SELECT e.seller_id, coalesce(e.charge_ref, 'none') AS ref, min(e.id::text) AS first,
           string_agg(e.id::text, ', ' ORDER BY e.id) AS ids
    FROM billing.ledger_entry e
    WHERE e.kind IN ('payment', 'unapplied_payment') AND EXISTS (SELECT FROM accused)
      AND (e.seller_id, coalesce(e.charge_ref, 'none'))
          IN (SELECT seller_id, coalesce(entered_ref, 'none') FROM accused WHERE entries > 0)
    GROUP BY 1, 2
)
SELECT CASE WHEN a.charge_ref IS NULL THEN 'ledger_entry' ELSE 'charge' END, coalesce(a.charge_ref, n.first),
       CASE WHEN a.charge_ref IS NULL THEN format('%s entries of money of %s, which is no charge: %s', a.entries, n.ref,
                                                  n.ids)
            WHEN a.entries = 0 THEN 'a charge with 0 entries'
            ELSE format('a charge with %s entries: %s', a.entries, n.ids) END
FROM accused a
LEFT JOIN named n ON n.seller_id = a.seller_id AND n.ref = coalesce(a.entered_ref, 'none') AND a.entries > 0
"""

_ATTEMPTS = """
SELECT 'ledger_entry', e.id, format('of %s for %s, names attempt %s, which is %s, of %s for %s', e.charge_ref,
                                       e.invoice_id, e.payment_id, p.status, p.charge_ref, p.invoice_id)
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

_FORWARDED = """
SELECT 'profile', coalesce(b.profile_id, p.profile_id),
       format('%s %s of its debts are carried forward, the books hold %s', coalesce(b.carried_forward_minor, 0),
              coalesce(b.currency, p.currency), coalesce(p.amount, 0))
FROM billing.credit_balance b
FULL JOIN (
    SELECT e.profile_id, p.currency, sum(p.amount_minor) AS amount
    FROM billing.posting p
    JOIN billing.ledger_entry e ON e.id = p.entry_id
    WHERE p.account = 'carried_forward'
    GROUP BY e.profile_id, p.currency) p ON p.profile_id = b.profile_id AND p.currency = b.currency
WHERE coalesce(b.carried_forward_minor, 0) <> coalesce(p.amount, 0)
"""

# What an invoice asks for of earlier ones, it has taken over in the books at its issue.
_BROUGHT_FORWARD = """
SELECT 'invoice', i.id, format('%s brings %s %s forward, the books %s at its issue', i.number, i.brought_forward_minor,
                               i.currency, coalesce(p.amount, 0))
FROM (SELECT * FROM billing.invoice WHERE number IS NOT NULL) i
FULL JOIN (SELECT e.invoice_id, -sum(p.amount_minor) AS amount
           FROM billing.posting p JOIN billing.ledger_entry e ON e.id = p.entry_id
           WHERE p.account = 'carried_forward' AND e.kind = 'issue' GROUP BY e.invoice_id) p ON p.invoice_id = i.id
WHERE coalesce(i.brought_forward_minor, 0) <> coalesce(p.amount, 0)
"""

# Money that met no debt is on its account until it is sent back, settled or lost. A replaced document hands through.
_KEPT_APART = """
SELECT 'charge', coalesce(u.charge_ref, p.charge_ref), format('%s of it are kept apart, the books hold %s',
                                                             coalesce(u.holds, 0), coalesce(p.amount, 0))
FROM (SELECT seller_id, charge_ref, currency, amount_minor - gone_minor AS holds
      FROM billing.unapplied_payment WHERE invoice_id IS NOT NULL) u
FULL JOIN (
    SELECT e.seller_id, e.charge_ref, p.currency, -sum(p.amount_minor) AS amount
    FROM billing.posting p
    JOIN billing.ledger_entry e ON e.id = p.entry_id
    WHERE p.account = 'unapplied_payments' AND e.kind <> 'carried_over' AND e.invoice_id IS NOT NULL
    GROUP BY e.seller_id, e.charge_ref, p.currency) p
  ON p.seller_id = u.seller_id AND p.charge_ref = u.charge_ref AND p.currency = u.currency
WHERE coalesce(u.holds, 0) <> coalesce(p.amount, 0)
"""

_CARRIED_OVER = """
WITH carried AS (
    SELECT e.invoice_id, sum(greatest(p.amount_minor, 0)) AS took, sum(greatest(-p.amount_minor, 0)) AS gave
    FROM billing.ledger_entry e
    JOIN billing.posting p ON p.entry_id = e.id
    WHERE e.kind = 'carried_over' AND p.account = 'unapplied_payments'
    GROUP BY e.invoice_id
)
SELECT 'invoice', new.id, format('%s took over %s, the document before it gave %s', new.number, coalesce(t.took, 0),
                                 coalesce(g.gave, 0))
FROM billing.invoice new
JOIN billing.invoice old ON old.id = new.corrects_id AND old.status = 'replaced'
LEFT JOIN carried t ON t.invoice_id = new.id
LEFT JOIN carried g ON g.invoice_id = old.id
WHERE new.kind = 'invoice' AND coalesce(t.took, 0) <> coalesce(g.gave, 0)
"""

# What an invoice asks for is what was due, less money that came, notes against the debt, and what is carried forward.
_REST = """
SELECT 'invoice', id, format('%s asks for %s of %s, %s paid, %s credited and %s carried forward', number,
                             amount_remaining_minor, amount_due_minor, amount_paid_minor, amount_credited_minor,
                             amount_carried_forward_minor)
FROM billing.invoice
WHERE kind = 'invoice' AND status IN ('open', 'paid', 'uncollectible')
  AND amount_remaining_minor
      <> amount_due_minor - amount_paid_minor - amount_credited_minor - amount_carried_forward_minor
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
        code="L3",
        meaning="No entry of the ledger, and no side of one, was changed or deleted.",
        counted="SELECT count(*) FROM billing.ledger_entry",
        checks=(append_only("ledger_entry", "posting"), resealed("ledger_entry", "posting")),
    ),
    Invariant(
        code="L4",
        meaning="What the books hold as owed on an invoice is what it shows: the rest to pay, and what is disputed.",
        counted="SELECT count(*) FROM billing.invoice",
        checks=(finds(_SHOWN_DIFFERENTLY), finds(_REST), finds(_DISPUTE_ACCOUNT), finds(_GIVEN_UP)),
    ),
    Invariant(
        code="L5",
        meaning="Nothing is owed on exactly those invoices that are settled; every charge has one entry in the books.",
        counted="SELECT count(*) FROM billing.invoice",
        checks=(finds(_RECEIVABLE), finds(_CHARGES), finds(_ATTEMPTS)),
    ),
    Invariant(
        code="L7",
        meaning="Balances, debts carried forward, money kept apart, lines and closed months are as in the books.",
        counted="SELECT count(*) FROM billing.credit_balance",
        checks=(
            finds(_BALANCES),
            finds(_FORWARDED),
            finds(_BROUGHT_FORWARD),
            finds(_KEPT_APART),
            finds(_CARRIED_OVER),
            *KEPT,
        ),
    ),
)
