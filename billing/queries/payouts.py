"""Reads of payouts and of the movements that they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

SOURCES = """
    LEFT JOIN billing.payment p
      ON p.provider_account_id = m.provider_account_id AND p.charge_ref = m.source_ref
         AND p.status IN ('succeeded', 'declined')
    LEFT JOIN billing.unapplied_payment u
      ON u.provider_account_id = m.provider_account_id AND u.charge_ref = m.source_ref AND p.id IS NULL
    LEFT JOIN billing.refund r ON r.provider_account_id = m.provider_account_id AND r.refund_ref = m.source_ref
    LEFT JOIN billing.dispute d ON d.provider_account_id = m.provider_account_id AND d.dispute_ref = m.source_ref
"""
"""Which row of ours a movement `m` is of: a charge that was booked or is kept apart, a refund, a dispute.

Or a debit that the bank refused: it stood in the balance from its beginning, and has gone out of it again.
"""

_TO_READ = text(
    """
    SELECT m.source_ref FROM billing.provider_movement m
    WHERE m.provider_account_id = :account AND m.type = 'payout' AND m.source_ref IS NOT NULL
      AND NOT EXISTS (SELECT FROM billing.payout p
                      WHERE p.provider_account_id = m.provider_account_id AND p.payout_ref = m.source_ref)
    UNION
    SELECT payout_ref FROM billing.payout
    WHERE provider_account_id = :account AND status IN ('pending', 'in_transit') AND arrives_at <= :now
    UNION
    SELECT p.payout_ref FROM billing.payout p
    WHERE p.provider_account_id = :account AND p.status = 'paid'
      AND EXISTS (SELECT FROM billing.provider_movement m
                  WHERE m.provider_account_id = p.provider_account_id AND m.source_ref = p.payout_ref
                    AND m.type IN ('payout_failure', 'payout_cancel'))
    UNION
    (SELECT payout_ref FROM billing.payout WHERE provider_account_id = :account AND listed_at IS NULL
     ORDER BY id DESC LIMIT :most)
    """
)
_BEGUN = text(
    """
    SELECT payout_ref FROM billing.payout
    WHERE provider_account_id = :account
      AND (listed_at IS NULL AND listed_after IS NOT NULL OR shares = '[]')
    ORDER BY id
    """
)
_SELLERS = """
    WITH held AS (
        SELECT * FROM billing.provider_movement
        WHERE provider_account_id = :account AND {which} AND type <> 'payout'
    ), shared AS (
        SELECT h.id, s.seller_id, s.amount_minor AS net
        FROM held h
        JOIN billing.payout p ON p.provider_account_id = h.provider_account_id AND p.payout_ref = h.source_ref
        CROSS JOIN jsonb_to_recordset(p.shares) AS s(seller_id uuid, amount_minor bigint)
    )
    SELECT seller_id, sum(net)::bigint AS net FROM (
        SELECT seller_id, net FROM shared
        UNION ALL
        SELECT seller_id, amount_minor - fee_minor FROM held
        WHERE seller_id IS NOT NULL AND id NOT IN (SELECT id FROM shared)
    ) AS whose
    GROUP BY seller_id
"""
# A payout whose sellers are not known yet may have come back before they were.
_UNSETTLED = """
    SELECT EXISTS (
        SELECT FROM billing.provider_movement h
        JOIN billing.payout p ON p.provider_account_id = h.provider_account_id AND p.payout_ref = h.source_ref
        WHERE h.provider_account_id = :account AND h.{which} AND h.type <> 'payout' AND p.shares = '[]')
"""
_LISTED = "balance_ref = ANY(:refs)"
_HELD = "payout_id = (SELECT id FROM billing.payout WHERE provider_account_id = :account AND payout_ref = :ref)"
_SELLERS_OF_LISTED, _SELLERS_OF_HELD = (text(_SELLERS.format(which=which)) for which in (_LISTED, _HELD))
_UNSETTLED_LISTED, _UNSETTLED_HELD = (text(_UNSETTLED.format(which=which)) for which in (_LISTED, _HELD))
_HOME = text(
    """
    SELECT coalesce(
        (SELECT seller_id FROM billing.payment WHERE provider_account_id = :account AND status = 'succeeded'
         ORDER BY id DESC LIMIT 1),
        (SELECT seller_id FROM billing.unapplied_payment WHERE provider_account_id = :account
         ORDER BY id DESC LIMIT 1))
    """
)
_STANDING = text(
    """
    SELECT count(*) FILTER (WHERE shares <> '[]') > 0 AS known, count(listed_at) > 0 AS listed,
           max(listed_after) AS listed_after, (SELECT count(*) FROM billing.seller) > 1 AS shared
    FROM billing.payout WHERE provider_account_id = :account AND payout_ref = :ref
    """
)

_NOT_LISTED = 50
"""So many payouts whose movements are not known yet are asked about at once."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one payout: whether it is in our books; whether all that it holds is in our rows, or up to which movement;
    whether it may hold several sellers' money.
    """

    known: bool
    listed: bool
    listed_after: str | None
    shared: bool


def payouts_to_read(session: Session, *, account_id: UUID, now: datetime) -> list[str]:
    """Payouts that the balance shows and nobody told us of, those that should have arrived by now or have come back,
    and some of those whose movements are not known yet, newest first.
    """
    values = {"account": account_id, "now": now, "most": _NOT_LISTED}
    return list(session.execute(_TO_READ, values).scalars())


def payouts_begun(session: Session, *, account_id: UUID) -> list[str]:
    """Payouts whose movements are known in part, or whose sellers are not known yet."""
    return list(session.execute(_BEGUN, {"account": account_id}).scalars())


def sellers_of(session: Session, *, account_id: UUID, balance_refs: Sequence[str]) -> dict[UUID, int] | None:
    """Whose money these movements are, net of fees, in minor units.

    A payout that came back is theirs whose money it held; None while that is not known of one.
    """
    values = {"account": account_id, "refs": list(balance_refs)}
    return _sellers(session, _UNSETTLED_LISTED, _SELLERS_OF_LISTED, values)


def sellers_of_payout(session: Session, *, account_id: UUID, payout_ref: str) -> dict[UUID, int] | None:
    """The same of all that the payout holds, which was listed."""
    values = {"account": account_id, "ref": payout_ref}
    return _sellers(session, _UNSETTLED_HELD, _SELLERS_OF_HELD, values)


def _sellers(
    session: Session, unsettled: TextClause, sellers: TextClause, values: dict[str, object]
) -> dict[UUID, int] | None:
    if session.execute(unsettled, values).scalar_one():
        return None
    return {row.seller_id: int(row.net) for row in session.execute(sellers, values)}


def home_seller(session: Session, *, account_id: UUID) -> UUID | None:
    """The seller whose money came last by this account."""
    found: UUID | None = session.execute(_HOME, {"account": account_id}).scalar_one_or_none()
    return found


def standing_of(session: Session, *, account_id: UUID, payout_ref: str) -> Standing:
    """What our rows know of the payout."""
    row = session.execute(_STANDING, {"account": account_id, "ref": payout_ref}).one()
    return Standing(row.known, row.listed, row.listed_after, row.shared)
