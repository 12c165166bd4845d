"""Payouts: read as they stand, shared among the sellers whose money they hold, and booked."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from billing.commands.movement.assign import assign_movements, end_list
from billing.commands.payout.note import note_payout
from billing.db.base import JsonList
from billing.flows.parts import Parts
from billing.kernel.failpoints import failpoint
from billing.kernel.status import PayoutStatus
from billing.providers.listed import ListedMovement, PayoutFacts
from billing.providers.port import Provider
from billing.queries.payouts import Standing, home_seller, sellers_of, standing_of

_UNDER_WAY = (PayoutStatus.PENDING, PayoutStatus.IN_TRANSIT)


def settle_payout(parts: Parts, account_id: UUID, payout_ref: str, *, budget_s: float = 60.0) -> bool:
    """Book what the payout shows now; False where the books show it already. Idempotent.

    What it holds is listed for some `budget_s` wall seconds; the next call goes on there. What may be several sellers'
    money is booked once its movements can be listed, or once it has ended. Raises what the provider raises: then the
    next sweep asks again.
    """
    provider = parts.provider(account_id)
    facts = provider.read_payout(payout_ref)
    with parts.begin() as session:
        standing = standing_of(session, account_id=account_id, payout_ref=payout_ref)
    if not standing.known and standing.shared and not facts.listed and facts.status in _UNDER_WAY:
        return False
    shares = [] if standing.known else _shares(parts, provider, account_id, facts, standing)
    if shares is None:
        return False
    with parts.begin() as session:
        noted = note_payout(session, account_id=account_id, facts=facts, shares=shares, now=parts.clock.now(session))
    if facts.listed and not standing.listed:
        _list(parts, provider, account_id, facts, after=standing.listed_after, budget_s=budget_s)
    return noted


def _list(
    parts: Parts, provider: Provider, account_id: UUID, facts: PayoutFacts, *, after: str | None, budget_s: float
) -> None:
    """Learn what the payout holds, a page and transaction at a time; a business's day may hold more than a task can."""
    began, payout_ref = time.monotonic(), facts.payout_ref
    for page in _pages(provider, facts, after=after):
        if not page:
            break
        refs = [each.balance_ref for each in page]
        with parts.begin() as session:
            assign_movements(session, account_id=account_id, payout_ref=payout_ref, balance_refs=refs)
        failpoint("payouts.page")
        if time.monotonic() - began > budget_s:
            return
    with parts.begin() as session:
        end_list(session, account_id=account_id, payout_ref=payout_ref, now=parts.clock.now(session))


def _pages(provider: Provider, facts: PayoutFacts, *, after: str | None = None) -> Iterator[list[ListedMovement]]:
    """What it holds, or that behind one movement; of one made by hand the provider would refuse to say."""
    return iter(()) if facts.by_hand else provider.payout_movement_pages(payout_ref=facts.payout_ref, after=after)


def _shares(
    parts: Parts, provider: Provider, account_id: UUID, facts: PayoutFacts, standing: Standing
) -> JsonList | None:
    """Whose movements it holds. What is nobody's (all, of one made by hand) is the seller's with the most in it.

    None where no seller ever had money at this account: the payout is none of ours.
    """
    whose: Counter[UUID] = Counter()
    if standing.shared:
        for page in _pages(provider, facts):
            with parts.begin() as session:
                held = [each.balance_ref for each in page]
                whose.update(sellers_of(session, account_id=account_id, balance_refs=held))
    if not whose:
        with parts.begin() as session:
            home = home_seller(session, account_id=account_id)
        if home is None:
            return None
        whose[home] = 0
    most, _ = whose.most_common(1)[0]
    whose[most] += facts.amount_minor - sum(whose.values())
    return [{"seller_id": str(seller), "amount_minor": amount} for seller, amount in sorted(whose.items())]
