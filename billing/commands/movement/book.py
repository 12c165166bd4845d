"""Book what a movement of the provider's balance says beside its gross amount: the fee, and the exchange."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.db.copy import NULL, array, copy_rows, field, reference
from billing.kernel.ids import new_ids
from billing.models import Account
from billing.queries.books.dating import datings
from billing.queries.payouts import SOURCES

# What is of a charge, a refund or a dispute waits for its row. What is of none (the provider's own bill) belongs to the
# seller whose money came last. The sign is the movement's: a refund that failed comes back. A cent may be worth nothing
# in another currency, and then its type says where it went. What a dispute moved is in the books nominally, in the
# currency of what it moved first: the movement says which it was. What another books is waited for: skipped, it
# would be nobody's to who shares out a payout next. A fee or an adjustment that names a charge moves nothing of it.
_UNBOOKED = text(
    f"""
    SELECT m.id, m.balance_ref, m.type, m.amount_minor, m.fee_minor, m.currency, m.occurred_at,
           coalesce(p.seller_id, u.seller_id, r.seller_id, CASE WHEN d.moved_currency IS NOT NULL THEN d.seller_id END,
                    CASE WHEN m.type <> ALL(:ours) OR m.source_ref IS NULL THEN home.seller_id END)
               AS seller_id,
           coalesce(p.profile_id, r.profile_id, d.profile_id) AS profile_id,
           coalesce(p.invoice_id, u.invoice_id, r.invoice_id, d.invoice_id) AS invoice_id,
           CASE WHEN m.type <> ALL(:beside) OR r.id IS NOT NULL OR d.id IS NOT NULL
                THEN coalesce(p.currency, u.currency, r.currency, d.moved_currency) END AS our_currency,
           CASE WHEN d.id IS NOT NULL THEN m.amount_minor
                WHEN m.amount_minor < 0 OR (m.amount_minor = 0 AND m.type = ANY(:back))
                THEN -coalesce(p.amount_minor, u.amount_minor, r.amount_minor)
                ELSE coalesce(p.amount_minor, u.amount_minor, r.amount_minor) END AS our_amount
    FROM billing.provider_movement m
    {SOURCES}
    LEFT JOIN LATERAL (SELECT seller_id FROM billing.payment
                       WHERE provider_account_id = m.provider_account_id AND status = 'succeeded'
                       ORDER BY id DESC LIMIT 1) AS home ON true
    WHERE m.provider_account_id = :account AND m.booked_at IS NULL AND m.id > :after
    ORDER BY m.id LIMIT :most FOR NO KEY UPDATE OF m
    """  # noqa: S608 (our own words)
)
_BOOKED = text(
    """
    UPDATE billing.provider_movement m
    SET seller_id = b.seller_id, booked_at = :now, version = m.version + 1, updated_at = clock_timestamp()
    FROM unnest(CAST(:ids AS uuid[]), CAST(:sellers AS uuid[])) AS b(id, seller_id) WHERE m.id = b.id
    """
)
_OURS = (
    "charge", "payment", "payment_failure_refund", "payment_reversal", "refund", "payment_refund", "refund_failure",
    "adjustment", "paypal_exchange",
)  # fmt: skip
"""Types of movements whose source is a row of ours; an adjustment's is a dispute, or it has none."""
_LEG = "paypal_exchange"
"""One of the two by which a provider exchanges what it booked in the currency that was charged."""
_BACK = ("refund", "payment_refund")
"""Those that go back to a customer."""
_FEES = ("stripe_fee", "stripe_fx_fee", "tax_fee", "paypal_fee")
"""Types that are a fee as a whole."""
_BESIDE = ("adjustment", "paypal_t1201", "paypal_t1202", *_FEES)
"""Types that come beside what a charge moved."""

FIRST = UUID(int=0)
"""Before every id."""

Sides = list[tuple[Account, str, int]]


def book_movements(
    session: Session, *, account_id: UUID, now: datetime, most: int, after: UUID = FIRST
) -> tuple[int, UUID | None]:
    """Book up to `most` that wait, from after an id on. Returns how many were booked, and the last one looked at.

    Dr provider fees, Cr provider clearing. Where the balance has another currency than the charge, clearing moves from
    the one to the other over exchange differences, which holds the position (DECISIONS 28, 32).
    """
    values = {
        "account": account_id,
        "after": after,
        "most": most,
        "ours": list(_OURS),
        "back": list(_BACK),
        "beside": list(_BESIDE),
    }
    rows = session.execute(_UNBOOKED, values).all()
    known = [row for row in rows if row.seller_id is not None]
    entries: list[str] = []
    postings: list[str] = []
    by_seller = datings(session, {row.seller_id for row in known})
    for row in known:
        at = f"{row.occurred_at.isoformat()}\t{by_seller[row.seller_id].day(row.occurred_at)}"
        for kind, sides in _entries(row):
            (entry,) = new_ids(1)
            entries.append(
                f"{entry.hex}\t{row.seller_id.hex}\t{kind}\t{at}\t{reference(row.profile_id)}"
                f"\t{reference(row.invoice_id)}\t{field(row.balance_ref) if row.balance_ref else NULL}"
            )
            postings.extend(
                f"{entry.hex}\t{position}\t{row.seller_id.hex}\t{account}\t{currency}\t{amount}"
                for position, (account, currency, amount) in enumerate(sides, start=1)
            )
    copy_rows(
        session,
        "ledger_entry",
        ("id", "seller_id", "kind", "effective_at", "booked_on", "profile_id", "invoice_id", "charge_ref"),
        entries,
    )
    copy_rows(
        session, "posting", ("entry_id", "position", "seller_id", "account", "currency", "amount_minor"), postings
    )
    if known:
        booked = {"ids": array(row.id for row in known), "sellers": array(row.seller_id for row in known), "now": now}
        session.execute(_BOOKED, booked)
    return len(known), rows[-1].id if rows else None


def _entries(row: Any) -> Sequence[tuple[str, Sides]]:
    found: list[tuple[str, Sides]] = []
    if row.type == _LEG:
        leg: Sides = [
            (Account.PROVIDER_CLEARING, row.currency, row.amount_minor),
            (Account.EXCHANGE_DIFFERENCES, row.currency, -row.amount_minor),
        ]
        return [("exchange", leg)] if row.amount_minor else []
    if row.our_currency is not None and row.our_currency != row.currency and (row.our_amount or row.amount_minor):
        exchange: Sides = [
            (Account.EXCHANGE_DIFFERENCES, row.our_currency, row.our_amount),
            (Account.PROVIDER_CLEARING, row.our_currency, -row.our_amount),
            (Account.PROVIDER_CLEARING, row.currency, row.amount_minor),
            (Account.EXCHANGE_DIFFERENCES, row.currency, -row.amount_minor),
        ]
        found.append(("exchange", [side for side in exchange if side[-1]]))
    fee = row.fee_minor - (row.amount_minor if row.type in _FEES else 0)
    if fee:
        found.append(
            (
                "provider_fee",
                [(Account.PROVIDER_FEES, row.currency, fee), (Account.PROVIDER_CLEARING, row.currency, -fee)],
            )
        )
    return found
