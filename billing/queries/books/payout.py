"""What one payout holds: each movement of the provider's balance that it took to the bank, with its document."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.queries.books.report import Report, read_rows, ties
from billing.queries.payouts import SOURCES

_KNOWN = text(
    """
    SELECT EXISTS (SELECT FROM billing.payout p
                   CROSS JOIN jsonb_to_recordset(p.shares) AS h(seller_id uuid)
                   WHERE p.payout_ref = :payout AND (CAST(:seller AS uuid) IS NULL OR h.seller_id = :seller))
    """
)

# Documents and customers are joined by columns: coalesce() is not known to leak nothing, so that behind the second wall
# no index may go by it, and both tables would be read whole.
# A payout that came back is a movement of the next, of those whose money it had held. What no movement of ours explains
# is told as such: a payout made by hand lists none, and the account may have other business than ours.
_HELD = f"""
WITH paid_out AS (
    SELECT * FROM billing.payout WHERE payout_ref = :payout
), part AS (
    SELECT coalesce(s.seller_id, m.seller_id) AS seller_id, m.currency, m.occurred_at, m.type, m.balance_ref,
           m.source_ref, m.provider_account_id,
           CASE WHEN back.id IS NULL THEN m.amount_minor ELSE s.amount_minor END AS amount_minor,
           CASE WHEN back.id IS NULL THEN m.fee_minor ELSE 0 END AS fee_minor
    FROM paid_out
    JOIN billing.provider_movement m ON m.payout_id = paid_out.id
    LEFT JOIN billing.payout back
      ON back.provider_account_id = m.provider_account_id AND back.payout_ref = m.source_ref
    LEFT JOIN LATERAL jsonb_to_recordset(back.shares) AS s(seller_id uuid, amount_minor bigint) ON true
    WHERE coalesce(s.seller_id, m.seller_id) IS NOT NULL
), whole AS (
    SELECT * FROM part
    UNION ALL
    SELECT h.seller_id, p.currency, p.opened_at, 'not_listed', NULL, NULL, p.provider_account_id,
           h.amount_minor - coalesce(known.net, 0), 0
    FROM paid_out p
    CROSS JOIN jsonb_to_recordset(p.shares) AS h(seller_id uuid, amount_minor bigint)
    LEFT JOIN LATERAL (SELECT sum(amount_minor - fee_minor)::bigint AS net FROM part
                       WHERE part.seller_id = h.seller_id) AS known ON true
    WHERE h.amount_minor <> coalesce(known.net, 0)
)
SELECT s.code AS seller, m.currency, m.occurred_at, m.type, m.balance_ref AS movement, m.source_ref AS source,
       i.number AS invoice, f.account_id, m.amount_minor, m.fee_minor, m.amount_minor - m.fee_minor AS net_minor
FROM whole m
JOIN billing.seller s ON s.id = m.seller_id
{SOURCES}
CROSS JOIN LATERAL (SELECT coalesce(p.invoice_id, u.invoice_id, r.invoice_id, d.invoice_id) AS id OFFSET 0) AS document
LEFT JOIN billing.invoice i ON i.id = document.id
CROSS JOIN LATERAL (
    SELECT coalesce(p.profile_id, r.profile_id, d.profile_id, i.profile_id) AS id OFFSET 0) AS customer
LEFT JOIN billing.profile f ON f.id = customer.id
WHERE CAST(:seller AS uuid) IS NULL OR m.seller_id = :seller
ORDER BY s.code, m.currency, m.type = 'not_listed', m.occurred_at, m.balance_ref
"""  # noqa: S608 (our own words)

# By the days around which it was learnt of: entries are found by day.
_SENT = """
SELECT s.code AS seller, p.currency, sum(p.amount_minor) AS amount_minor
FROM billing.payout o
JOIN billing.ledger_entry e
  ON e.kind = 'payout_sent' AND e.charge_ref = o.payout_ref
  AND e.booked_on BETWEEN (o.opened_at - interval '2 days')::date AND (o.opened_at + interval '2 days')::date
JOIN billing.posting p ON p.entry_id = e.id AND p.seller_id = e.seller_id AND p.account = :account
JOIN billing.seller s ON s.id = e.seller_id
WHERE o.payout_ref = :payout AND (CAST(:seller AS uuid) IS NULL OR e.seller_id = :seller)
GROUP BY s.code, p.currency
"""


def payout_report(session: Session, *, payout: str, seller_id: UUID | None = None) -> Report:
    """The movements that a payout holds, by the provider's id of it; they tie to what was booked as sent.

    `amount_minor` gross and signed, `fee_minor` taken of it, `net_minor` what reached the bank. `type` in the
    provider's words, and `not_listed` for what no movement of ours explains. Raises `Refused`: `payout_not_found`.
    """
    values = {"payout": payout, "seller": seller_id}
    if not session.execute(_KNOWN, values).scalar_one():
        mend = "give the provider's id, as `billing report payouts --month YYYY-MM` shows it"
        raise Refused(Fault("payout", "payout_not_found", mend))
    rows = read_rows(session, _HELD, values)
    columns = (
        "seller", "currency", "occurred_at", "type", "movement", "source", "invoice", "account_id", "amount_minor",
        "fee_minor", "net_minor",
    )  # fmt: skip
    tied = ties(session, rows, values, account="payouts_in_transit", sign=1, column="net_minor", ledger=_SENT)
    return Report("payout", columns, rows, tied)
