"""Payouts: read as they stand, shared among the sellers whose money they hold, and booked."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from uuid import UUID

from billing.commands.payout.note import note_payout
from billing.db.base import JsonList
from billing.flows.parts import Parts
from billing.providers.listed import PayoutFacts
from billing.queries.payouts import home_seller, knows_payout, sellers_of

_AT_ONCE = 500
"""Movements of a payout that are looked up in one statement."""


def settle_payout(parts: Parts, account_id: UUID, payout_ref: str) -> bool:
    """Book what the payout shows now; False where the books show it already. Idempotent.

    Raises what the provider raises: then nothing was booked, and the next sweep asks again.
    """
    facts = parts.provider(account_id).read_payout(payout_ref)
    with parts.begin() as session:
        known = knows_payout(session, account_id=account_id, payout_ref=payout_ref)
    shares = [] if known else _shares(parts, account_id, facts)
    if shares is None:
        return False
    with parts.begin() as session:
        return note_payout(session, account_id=account_id, facts=facts, shares=shares, now=parts.clock.now(session))


def _shares(parts: Parts, account_id: UUID, facts: PayoutFacts) -> JsonList | None:
    """Whose movements it holds. What is nobody's (a payout by hand lists none) is the seller's with the most in it.

    None where no seller ever had money at this account: the payout is none of ours.
    """
    held: Counter[UUID] = Counter()
    listed = parts.provider(account_id).list_payout_movements(payout_ref=facts.payout_ref)
    while refs := [each.balance_ref for each in islice(listed, _AT_ONCE)]:
        with parts.begin() as session:
            held.update(sellers_of(session, account_id=account_id, balance_refs=refs))
    if not held:
        with parts.begin() as session:
            home = home_seller(session, account_id=account_id)
        if home is None:
            return None
        held[home] = 0
    most, _ = held.most_common(1)[0]
    held[most] += facts.amount_minor - sum(held.values())
    return [{"seller_id": str(seller), "amount_minor": amount} for seller, amount in sorted(held.items())]
