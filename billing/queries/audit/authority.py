"""Authority: what is charged off-session is the customer's own method, with consent, at the provider's own customer.

Attempts are read in one pass; methods and customers by their keys, notices by their invoice, the witness's rows by
hashing.
"""

from __future__ import annotations

from billing.queries.audit.invariant import Invariant, finds
from billing.rules.debit import DEBITS

_NOT_THEIRS = """
SELECT 'payment', p.id,
       CASE WHEN m.profile_id IS DISTINCT FROM p.profile_id OR i.profile_id IS DISTINCT FROM p.profile_id
            THEN format('charged method %s of customer %s for %s, on an invoice of %s', p.payment_method_id,
                         coalesce(m.profile_id::text, 'nobody'), p.profile_id, i.profile_id)
            WHEN m.method_ref IS DISTINCT FROM p.method_ref
            THEN format('charged %s, its method is %s', p.method_ref, m.method_ref)
            WHEN c.customer_ref IS NULL THEN format('charged customer %s, who is another', p.customer_ref)
            ELSE format('opened at %s, consent was given at %s', p.opened_at, m.consent_at) END
FROM billing.payment p
JOIN billing.invoice i ON i.id = p.invoice_id
LEFT JOIN billing.payment_method m
  ON m.id = p.payment_method_id AND m.provider_account_id = p.provider_account_id
LEFT JOIN billing.provider_customer c
  ON c.profile_id = p.profile_id AND c.provider_account_id = p.provider_account_id AND c.customer_ref = p.customer_ref
WHERE p.kind = 'off_session'
  AND (m.profile_id IS DISTINCT FROM p.profile_id OR i.profile_id <> p.profile_id
       OR m.method_ref IS DISTINCT FROM p.method_ref OR c.customer_ref IS NULL OR m.consent_at > p.opened_at)
"""

_NOT_ANNOUNCED = f"""
SELECT 'payment', p.id, format('debited at %s, told of %s times, after %s that failed', p.opened_at, n.told, b.failed)
FROM billing.payment p
CROSS JOIN LATERAL (
    SELECT count(*) AS told, count(*) FILTER (WHERE CAST(facts ->> 'amount_minor' AS bigint) = p.amount_minor) AS of_it
    FROM billing.notice
    WHERE invoice_id = p.invoice_id AND kind = 'debit_upcoming'
      AND facts ->> 'payment_method_id' = p.payment_method_id::text
      AND CAST(facts ->> 'debit_at' AS timestamptz) <= p.opened_at) n
CROSS JOIN LATERAL (
    SELECT count(*) AS failed FROM billing.payment
    WHERE invoice_id = p.invoice_id AND payment_method_id = p.payment_method_id AND status = 'declined'
      AND attempt_no < p.attempt_no) b
WHERE p.kind = 'off_session' AND p.method_kind IN ({", ".join(f"'{kind}'" for kind in sorted(DEBITS))})
  AND (n.told <= b.failed OR n.of_it = 0)
"""  # noqa: S608 (our own words)

_ANOTHER_ASKED_FOR = """
SELECT 'payment', p.id, format('its method is %s of %s, request %s asked for %s of %s', p.method_ref, p.customer_ref,
                               r.request_ref, r.method_ref, coalesce(r.customer_ref, 'the same'))
FROM witness_request r
JOIN billing.provider_write w ON w.key = r.key AND w.step = 'charge'
JOIN billing.payment p ON p.id = w.payment_id AND p.kind = 'off_session'
WHERE r.method_ref <> p.method_ref OR r.customer_ref <> p.customer_ref
"""

AUTHORITY = Invariant(
    code="P8",
    meaning="Each off-session attempt charged a method of its own customer, attached there, with consent from before; "
    "each debit was announced, and came no sooner.",
    counted="SELECT count(*) FROM billing.payment WHERE kind = 'off_session'",
    checks=(finds(_NOT_THEIRS), finds(_NOT_ANNOUNCED)),
    witnessed=(finds(_ANOTHER_ASKED_FOR),),
)
