"""Move credit, and debts carried forward: all that a transaction uses or feeds of either, in one statement each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from billing.db.copy import array, id_array
from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_ids
from billing.kernel.money import MOST_TOTAL, format_minor
from billing.queries.paying_out import balance_of

_FEED = """
    INSERT INTO billing.credit_balance AS b (id, seller_id, profile_id, currency, {column})
    SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:sellers AS uuid[]), CAST(:profiles AS uuid[]),
                         CAST(:currencies AS text[]), CAST(:amounts AS bigint[]))
    ON CONFLICT (profile_id, currency) DO UPDATE
    SET {column} = b.{column} + excluded.{column}, version = b.version + 1, updated_at = clock_timestamp()
"""
_USE = """
    UPDATE billing.credit_balance b
    SET {column} = b.{column} + m.amount_minor, version = b.version + 1, updated_at = clock_timestamp()
    FROM unnest(CAST(:profiles AS uuid[]), CAST(:currencies AS text[]), CAST(:amounts AS bigint[]))
         AS m(profile_id, currency, amount_minor)
    WHERE b.profile_id = m.profile_id AND b.currency = m.currency
"""
_CREDIT, _CARRIED_FORWARD = (
    tuple(text(each.format(column=column)) for each in (_FEED, _USE))
    for column in ("amount_minor", "carried_forward_minor")
)


def require_room(session: Session, *, profile_id: UUID, currency: str, amount_minor: int) -> None:
    """Raise `Refused` (`balance_too_large`) where a balance, and what is now added by hand, would be more than a
    document holds. The caller holds the profile."""
    there = balance_of(session, profile_id, currency)
    if there + amount_minor > MOST_TOTAL:
        write = partial(format_minor, currency=currency)
        mend = f"a balance holds at most {write(MOST_TOTAL)}, and {write(there)} are there: give less"
        raise Refused(Fault("amount", "balance_too_large", mend))


def move_balances(session: Session, moves: Mapping[tuple[UUID, UUID, str], int]) -> None:
    """Add minor units by (seller, profile, currency); the caller holds the profiles. None may fall below 0 (check)."""
    _move(session, moves, *_CREDIT)


def move_carried_forward(session: Session, moves: Mapping[tuple[UUID, UUID, str], int]) -> None:
    """The same of debts that were too little to be charged: the next invoices ask for them."""
    _move(session, moves, *_CARRIED_FORWARD)


def _move(session: Session, moves: Mapping[tuple[UUID, UUID, str], int], feed: TextClause, use: TextClause) -> None:
    fed = sorted((key, amount) for key, amount in moves.items() if amount > 0)
    used = sorted((key, amount) for key, amount in moves.items() if amount < 0)
    if fed:
        sellers = id_array(seller for (seller, _, _), _ in fed)
        session.execute(feed, {"ids": id_array(new_ids(len(fed))), "sellers": sellers, **_columns(fed)})
    if used:
        # Apart from the inserts: a row below 0 breaks its check before it is found to be there already.
        session.execute(use, _columns(used))


def _columns(moved: Sequence[tuple[tuple[UUID, UUID, str], int]]) -> dict[str, str]:
    return {
        "profiles": id_array(profile for (_, profile, _), _ in moved),
        "currencies": array(currency for (_, _, currency), _ in moved),
        "amounts": array(amount for _, amount in moved),
    }
