"""Payouts: read as they stand, shared among the sellers whose money they hold, and booked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from billing.commands.movement.assign import assign_movements
from billing.commands.payout.note import note_payout
from billing.db.base import JsonList
from billing.flows.parts import Parts
from billing.kernel.status import PayoutStatus
from billing.providers.listed import PayoutFacts
from billing.queries.payouts import home_seller, sellers_of, standing_of

_AT_ONCE = 500
"""Movements of a payout that are looked up in one statement."""
_UNDER_WAY = (PayoutStatus.PENDING, PayoutStatus.IN_TRANSIT)


def settle_payout(parts: Parts, account_id: UUID, payout_ref: str) -> bool:
    """Book what the payout shows now; False where the books show it already. Idempotent.

    What may be several sellers' money is booked once its movements can be listed, or once it has ended. Raises what the
    provider raises: then nothing was booked, and the next sweep asks again.
    """
    provider = parts.provider(account_id)
    facts = provider.read_payout(payout_ref)
    with parts.begin() as session:
        standing = standing_of(session, account_id=account_id, payout_ref=payout_ref)
    if not standing.known and standing.shared and not facts.listed and facts.status in _UNDER_WAY:
        return False
    held: list[str] = []
    if not standing.listed and (facts.listed or not standing.known):
        held = [each.balance_ref for each in provider.list_payout_movements(payout_ref=payout_ref)]
    shares = [] if standing.known else _shares(parts, account_id, facts, held)
    if shares is None:
        return False
    with parts.begin() as session:
        now = parts.clock.now(session)
        noted = note_payout(session, account_id=account_id, facts=facts, shares=shares, now=now)
        if facts.listed and not standing.listed:
            assign_movements(session, account_id=account_id, payout_ref=payout_ref, balance_refs=held, now=now)
    return noted


def _shares(parts: Parts, account_id: UUID, facts: PayoutFacts, held: Sequence[str]) -> JsonList | None:
    """Whose movements it holds. What is nobody's (a payout by hand lists none) is the seller's with the most in it.

    None where no seller ever had money at this account: the payout is none of ours.
    """
    whose: Counter[UUID] = Counter()
    for start in range(0, len(held), _AT_ONCE):
        with parts.begin() as session:
            whose.update(sellers_of(session, account_id=account_id, balance_refs=held[start : start + _AT_ONCE]))
    if not whose:
        with parts.begin() as session:
            home = home_seller(session, account_id=account_id)
        if home is None:
            return None
        whose[home] = 0
    most, _ = whose.most_common(1)[0]
    whose[most] += facts.amount_minor - sum(whose.values())
    return [{"seller_id": str(seller), "amount_minor": amount} for seller, amount in sorted(whose.items())]
