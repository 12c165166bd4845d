"""Reconciling: a window of the provider's lists beside our rows, set-wise, in temporary tables of one connection."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.db.copy import copy_values
from billing.kernel.money import EXPONENTS, format_minor
from billing.kernel.status import OPEN_PAYMENT, OPEN_REFUND
from billing.providers.listed import ListedCharge, ListedDispute, ListedMovement, ListedRefund
from billing.queries.reconciling_disputes import DISPUTES, DISPUTES_NOT_LISTED

TABLES = {
    "listed_charge": "charge_ref text, status text, amount_minor bigint, refunded_minor bigint, currency text,"
    " created timestamptz, intent_ref text, customer_ref text, method_ref text, metadata_invoice uuid,"
    " metadata_payment uuid, balance_ref text",
    "listed_refund": "refund_ref text, status text, amount_minor bigint, currency text, created timestamptz,"
    " charge_ref text, metadata_refund uuid, by_provider boolean",
    "listed_dispute": "dispute_ref text, status text, amount_minor bigint, currency text, created timestamptz,"
    " charge_ref text",
    "listed_movement": "balance_ref text, type text, source_ref text, amount_minor bigint, fee_minor bigint,"
    " currency text, created timestamptz",
}


@dataclass(frozen=True, slots=True)
class Found:
    """One difference: what, at the provider and with us, and how much is at stake."""

    kind: str
    object_ref: str
    intent_ref: str | None
    seller_id: UUID | None
    profile_id: UUID | None
    invoice_id: UUID | None
    amount_minor: int | None
    currency: str | None
    detail: str
    lost: bool
    """The provider names an attempt that we never committed before it was sent: this database has lost rows."""


def open_lists(session: Session) -> None:
    """Make the temporary tables, empty."""
    for name, columns in TABLES.items():
        session.execute(text(f"CREATE TEMPORARY TABLE IF NOT EXISTS {name} ({columns})"))


def empty_lists(session: Session) -> None:
    """Forget the last window."""
    for name in TABLES:
        session.execute(text(f"TRUNCATE pg_temp.{name}"))


def drop_lists(session: Session) -> None:
    """Give them back, so that a pooled connection keeps none."""
    for name in TABLES:
        session.execute(text(f"DROP TABLE IF EXISTS pg_temp.{name}"))


def load_charges(session: Session, page: Sequence[ListedCharge]) -> None:
    """Add a page."""
    copy_values(
        session,
        "listed_charge",
        (
            (
                each.charge_ref, each.status, each.amount_minor, each.refunded_minor, each.currency, each.created,
                each.intent_ref, each.customer_ref, each.method_ref, as_uuid(each.metadata_invoice),
                as_uuid(each.metadata_payment), each.balance_ref,
            )
            for each in page
        ),
    )  # fmt: skip


def load_refunds(session: Session, page: Sequence[ListedRefund]) -> None:
    """Add a page."""
    copy_values(
        session,
        "listed_refund",
        (
            (
                each.refund_ref, each.status, each.amount_minor, each.currency, each.created, each.charge_ref,
                as_uuid(each.metadata_refund), each.by_provider,
            )
            for each in page
        ),
    )  # fmt: skip


def load_disputes(session: Session, page: Sequence[ListedDispute]) -> None:
    """Add a page."""
    copy_values(
        session,
        "listed_dispute",
        (
            (each.dispute_ref, each.status, each.amount_minor, each.currency, each.created, each.charge_ref)
            for each in page
        ),
    )


def load_movements(session: Session, page: Sequence[ListedMovement]) -> None:
    """Add a page."""
    copy_values(
        session,
        "listed_movement",
        (
            (
                each.balance_ref, each.type, each.source_ref, each.amount_minor, each.fee_minor, each.currency,
                each.created,
            )
            for each in page
        ),
    )  # fmt: skip


def as_uuid(value: str | None) -> UUID | None:
    """An id of ours in the provider's metadata; None for what is none."""
    try:
        return UUID(value) if value else None
    except ValueError:
        return None


_OPEN = ", ".join(f"'{status}'" for status in sorted(OPEN_PAYMENT))
_OPEN_REFUND = ", ".join(f"'{status}'" for status in sorted(OPEN_REFUND))

# What may be an open attempt's own charge is asked about by that attempt, and is no difference yet. One of another
# intent of its invoice is nobody's: a debit may be open for longer than daily runs look back.
_SEEN = f"""
WITH seen AS (
    SELECT c.*, p.id AS payment_id, p.status AS our_status, p.amount_minor AS our_amount, p.currency AS our_currency,
           p.customer_ref AS our_customer, u.id AS unapplied_id, i.id AS invoice_id,
           c.metadata_payment IS NOT NULL AND m.id IS NULL
             AND (i.id IS NOT NULL OR k.profile_id IS NOT NULL) AS lost,
           coalesce(i.seller_id, p.seller_id, k.seller_id) AS seller_id,
           coalesce(i.profile_id, p.profile_id, k.profile_id) AS profile_id,
           EXISTS (SELECT FROM billing.payment a JOIN billing.payment_intent n ON n.id = a.payment_intent_id
                   WHERE a.invoice_id = i.id AND a.status IN ({_OPEN})
                     AND CASE WHEN n.intent_ref IS NULL OR c.intent_ref IS NULL
                              THEN coalesce(c.metadata_payment = a.id, true)
                              ELSE n.intent_ref = c.intent_ref END) AS asked_about,
           -- PayPal's report knows no customers but by the names that we give orders.
           c.customer_ref IS NULL
             AND EXISTS (SELECT FROM billing.provider_account a WHERE a.id = :account AND a.provider = 'paypal')
             AS nameless
    FROM listed_charge c
    LEFT JOIN billing.payment p ON p.provider_account_id = :account AND p.charge_ref = c.charge_ref
    LEFT JOIN billing.unapplied_payment u ON u.provider_account_id = :account AND u.charge_ref = c.charge_ref
    LEFT JOIN billing.payment m ON m.id = c.metadata_payment
    LEFT JOIN billing.payment_intent pi ON pi.provider_account_id = :account AND pi.intent_ref = c.intent_ref
    LEFT JOIN billing.invoice i ON i.id = coalesce(p.invoice_id, m.invoice_id, pi.invoice_id, c.metadata_invoice)
    LEFT JOIN billing.provider_customer k
      ON k.provider_account_id = :account AND k.customer_ref = c.customer_ref
)
"""  # noqa: S608 (our own words)

_UNKNOWN_CHARGES = (
    _SEEN
    + """
SELECT CASE WHEN invoice_id IS NOT NULL THEN 'charge_without_attempt'
            WHEN lost THEN 'charge_of_lost_invoice'
            ELSE 'charge_unexplained' END,
       charge_ref, intent_ref, seller_id, profile_id, coalesce(invoice_id, metadata_invoice),
       CASE WHEN status <> 'failed' THEN amount_minor - refunded_minor END,
       CASE WHEN status <> 'failed' THEN currency END,
       format('the provider has charge %s, %s, of {%s %s}; we have no attempt for it', charge_ref, status, amount_minor,
              currency),
       lost
FROM seen
WHERE payment_id IS NULL AND unapplied_id IS NULL AND NOT asked_about AND profile_id IS NOT NULL
  AND CASE WHEN status = 'failed' THEN lost AND invoice_id IS NOT NULL ELSE amount_minor > refunded_minor END
"""
)

_OTHER_CHARGES = (
    _SEEN
    + """
SELECT 'charge_differs', charge_ref, intent_ref, seller_id, profile_id, invoice_id, amount_minor, currency,
       format('the provider says %s {%s %s} of %s, we say %s {%s %s} of %s', status, amount_minor, currency,
              customer_ref, our_status, our_amount, our_currency, our_customer), false
FROM seen
WHERE payment_id IS NOT NULL
  AND ((status = 'succeeded') <> (our_status = 'succeeded') OR amount_minor <> our_amount OR currency <> our_currency
       OR (customer_ref IS DISTINCT FROM our_customer AND NOT nameless))
UNION ALL
SELECT 'fee_missing', charge_ref, intent_ref, seller_id, profile_id, invoice_id, amount_minor, currency,
       format('charge %s has no balance transaction a day after it was made', charge_ref), false
FROM seen
WHERE status = 'succeeded' AND balance_ref IS NULL AND profile_id IS NOT NULL AND created < :fee_before
UNION ALL
SELECT 'movement_differs', charge_ref, intent_ref, seller_id, profile_id, invoice_id, s.amount_minor, s.currency,
       format('charge %s is of {%s %s}, its balance transaction %s of {%s %s}', charge_ref, s.amount_minor, s.currency,
              v.balance_ref, v.amount_minor, v.currency), false
FROM seen s
JOIN listed_movement v ON v.source_ref = s.charge_ref AND v.type IN ('charge', 'payment')
WHERE s.profile_id IS NOT NULL AND v.currency = s.currency AND v.amount_minor <> s.amount_minor
UNION ALL
SELECT 'movement_differs', v.balance_ref, NULL, p.seller_id, p.profile_id, p.invoice_id, -v.amount_minor, v.currency,
       format('a bank took {%s %s} of charge %s back (%s); no dispute tells of it', -v.amount_minor, v.currency,
              p.charge_ref, v.balance_ref), false
FROM listed_movement v
JOIN billing.payment p ON p.provider_account_id = :account AND p.charge_ref = v.source_ref AND p.status = 'succeeded'
WHERE v.type = 'payment_reversal'
"""
)

_REFUNDS = f"""
SELECT CASE WHEN f.id IS NULL THEN 'refund_without_record' ELSE 'refund_differs' END, r.refund_ref, NULL,
       coalesce(f.seller_id, p.seller_id, u.seller_id), coalesce(f.profile_id, p.profile_id, i.profile_id),
       coalesce(f.invoice_id, p.invoice_id, u.invoice_id), r.amount_minor, r.currency,
       CASE WHEN f.id IS NULL
            THEN format('the provider %s {{%s %s}} of charge %s (%s); we have no refund for it',
                        CASE WHEN r.by_provider THEN 'took back' ELSE 'refunded' END, r.amount_minor, r.currency,
                        r.charge_ref, r.status)
            ELSE format('the provider says %s {{%s %s}}, we say %s {{%s %s}}', r.status, r.amount_minor, r.currency,
                        f.status, f.amount_minor, f.currency) END,
       r.metadata_refund IS NOT NULL AND m.id IS NULL
         AND NOT EXISTS (SELECT FROM billing.payment o WHERE o.id = r.metadata_refund)
FROM listed_refund r
LEFT JOIN billing.payment p ON p.provider_account_id = :account AND p.charge_ref = r.charge_ref
LEFT JOIN billing.unapplied_payment u ON u.provider_account_id = :account AND u.charge_ref = r.charge_ref
LEFT JOIN billing.invoice i ON i.id = u.invoice_id
LEFT JOIN billing.refund m ON m.id = r.metadata_refund
LEFT JOIN billing.refund f
  ON (f.provider_account_id = :account AND f.refund_ref = r.refund_ref)
     OR (f.id = r.metadata_refund AND f.refund_ref IS NULL)
WHERE CASE WHEN f.id IS NULL THEN (p.id IS NOT NULL OR u.id IS NOT NULL) AND r.status IN ('succeeded', 'pending')
                               AND NOT (r.by_provider AND EXISTS (
                                   SELECT FROM billing.dispute d WHERE d.provider_account_id = :account
                                   AND d.charge_ref = r.charge_ref AND d.withdrawn_minor > 0))
           ELSE (f.amount_minor, f.currency) <> (r.amount_minor, r.currency)
                OR (f.status <> r.status AND f.status NOT IN ({_OPEN_REFUND})) END
"""  # noqa: S608 (our own words)


def _found(*row: Any) -> Found:
    found = Found(*row)
    return replace(found, detail=_AMOUNT.sub(_told, found.detail))


def _told(amount: re.Match[str]) -> str:
    minor, currency = amount.groups()
    # Who else uses the account may charge in what is none of ours.
    return format_minor(int(minor), currency) if currency in EXPONENTS else f"{minor} {currency}"


_AMOUNT = re.compile(r"\{(-?\d+) ([a-z]{3})\}")
"""How a statement writes an amount, in minor units; people are told it as every other."""


def differences(session: Session, *, account_id: UUID, fee_before: datetime) -> Iterator[Found]:
    """What the loaded window shows and we don't have so, streamed. A charge without its fee counts from `fee_before`.

    What belongs to no customer of ours is none of our business: other software may use the account.
    """
    values = {"account": account_id, "fee_before": fee_before}
    streaming = {"stream_results": True, "yield_per": 500}
    for statement in (_UNKNOWN_CHARGES, _OTHER_CHARGES, _REFUNDS, DISPUTES):
        with session.execute(text(statement), values, execution_options=streaming) as rows:
            for row in rows:
                yield _found(*row)


_NOT_LISTED = """
SELECT 'attempt_without_charge', p.charge_ref, i.intent_ref, p.seller_id, p.profile_id, p.invoice_id, p.amount_minor,
       p.currency, format('our attempt %s has charge %s of {%s %s}; the provider does not', p.id, p.charge_ref,
                          p.amount_minor, p.currency), false
FROM billing.payment p
JOIN billing.payment_intent i ON i.id = p.payment_intent_id
LEFT JOIN listed_charge c ON c.charge_ref = p.charge_ref
WHERE p.provider_account_id = :account AND p.status = 'succeeded' AND p.opened_at >= :from_at AND p.opened_at < :to_at
  AND p.id >= CAST(:lowest AS uuid) AND p.id < CAST(:highest AS uuid) AND c.charge_ref IS NULL
"""

_REFUNDS_NOT_LISTED = """
SELECT 'refund_missing', f.refund_ref, NULL, f.seller_id, f.profile_id, f.invoice_id, f.amount_minor, f.currency,
       format('our refund %s is %s of {%s %s}; the provider does not show it', f.id, f.refund_ref, f.amount_minor,
              f.currency), false
FROM billing.refund f
LEFT JOIN listed_refund r ON r.refund_ref = f.refund_ref
WHERE f.provider_account_id = :account AND f.status = 'succeeded' AND f.refund_ref IS NOT NULL
  AND f.opened_at >= :from_at AND f.opened_at < :to_at
  AND f.id >= CAST(:lowest AS uuid) AND f.id < CAST(:highest AS uuid) AND r.refund_ref IS NULL
"""


def not_listed(
    session: Session, *, account_id: UUID, from_at: datetime, to_at: datetime, ids: tuple[UUID, UUID]
) -> Iterator[Found]:
    """Our succeeded attempts and refunds, and our disputes, opened in [from, to), that the window does not show.

    They may stand just outside it: who accuses asks about each first. `ids` bounds the rows by the time in their ids.
    """
    values = {"account": account_id, "from_at": from_at, "to_at": to_at, "lowest": ids[0], "highest": ids[1]}
    streaming = {"stream_results": True, "yield_per": 500}
    for statement in (_NOT_LISTED, _REFUNDS_NOT_LISTED, DISPUTES_NOT_LISTED):
        with session.execute(text(statement), values, execution_options=streaming) as rows:
            for row in rows:
                yield _found(*row)


# Those that an hourly reading still reads are left to it.
_LATE = """
SELECT l.* FROM listed_movement l JOIN billing.provider_account a ON a.id = :account
WHERE l.created < a.movements_read_to
  AND NOT EXISTS (SELECT FROM billing.provider_movement m
                  WHERE m.provider_account_id = :account AND m.balance_ref = l.balance_ref)
ORDER BY l.created, l.balance_ref
"""


def late_movements(session: Session, *, account_id: UUID) -> list[ListedMovement]:
    """What the loaded window shows of the balance, and was not listed yet when our rows were read from it."""
    return [ListedMovement(*row) for row in session.execute(text(_LATE), {"account": account_id})]


_IN_SIGHT = """
SELECT d.id, d.kind, d.object_ref FROM billing.difference d
WHERE d.provider_account_id = :account AND d.resolved_at IS NULL
  AND (d.object_ref IN (SELECT charge_ref FROM listed_charge) OR d.object_ref IN (SELECT refund_ref FROM listed_refund)
       OR d.object_ref IN (SELECT dispute_ref FROM listed_dispute))
"""


def known_in_sight(session: Session, *, account_id: UUID) -> dict[tuple[str, str], UUID]:
    """Open differences about objects that the window shows, by (kind, object)."""
    rows = session.execute(text(_IN_SIGHT), {"account": account_id})
    return {(row.kind, row.object_ref): row.id for row in rows}
