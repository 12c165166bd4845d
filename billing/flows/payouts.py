"""Payouts: read as they stand, shared among the sellers whose money they hold, and booked."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from billing.commands.movement.assign import assign_movements, end_list
from billing.commands.payout.note import begin_payout, note_payout
from billing.db.base import JsonList
from billing.flows.parts import Parts
from billing.kernel.failpoints import failpoint
from billing.kernel.status import PayoutStatus
from billing.providers.listed import ListedMovement, PayoutFacts
from billing.providers.port import Provider
from billing.queries.payouts import home_seller, sellers_of, sellers_of_payout, standing_of

_UNDER_WAY = (PayoutStatus.PENDING, PayoutStatus.IN_TRANSIT)


def settle_payout(parts: Parts, account_id: UUID, payout_ref: str, *, budget_s: float = 60.0) -> bool:
    """Book what the payout shows now; False where the books show it already, or can't yet. Idempotent.

    What it holds is listed for some `budget_s` wall seconds; the next call goes on there. What may be several sellers'
    money is booked once its movements were listed, or once it has ended; and after what came back in it. Raises what
    the provider raises: then the next sweep asks again.
    """
    provider = parts.provider(account_id)
    facts = provider.read_payout(payout_ref)
    with parts.begin() as session:
        standing = standing_of(session, account_id=account_id, payout_ref=payout_ref)
        home = home_seller(session, account_id=account_id)
    if home is None:
        # No seller ever had money at this account: the payout is none of ours.
        return False
    unlisted = facts.listed and not standing.listed
    shares: JsonList = []
    if not standing.known:
        several = standing.shared and not facts.by_hand
        if several and not facts.listed and facts.status in _UNDER_WAY:
            return False
        if several and unlisted:
            with parts.begin() as session:
                begin_payout(session, account_id=account_id, facts=facts, now=parts.clock.now(session))
            unlisted = not _list(parts, provider, account_id, facts, after=standing.listed_after, budget_s=budget_s)
            if unlisted:
                return False
        whose = _whose(parts, provider, account_id, facts) if several else {}
        if whose is None:
            return False
        shares = _shares(whose, facts, home)
    with parts.begin() as session:
        noted = note_payout(session, account_id=account_id, facts=facts, shares=shares, now=parts.clock.now(session))
    if unlisted:
        _list(parts, provider, account_id, facts, after=standing.listed_after, budget_s=budget_s)
    return noted


def _list(
    parts: Parts, provider: Provider, account_id: UUID, facts: PayoutFacts, *, after: str | None, budget_s: float
) -> bool:
    """Learn what the payout holds, a page and transaction at a time; a business's day may hold more than a task can.

    False where there is more.
    """
    began, payout_ref = time.monotonic(), facts.payout_ref
    for page in _pages(provider, facts, after=after):
        if not page:
            break
        refs = [each.balance_ref for each in page]
        with parts.begin() as session:
            assign_movements(session, account_id=account_id, payout_ref=payout_ref, balance_refs=refs)
        failpoint("payouts.page")
        if time.monotonic() - began > budget_s:
            return False
    with parts.begin() as session:
        end_list(session, account_id=account_id, payout_ref=payout_ref, now=parts.clock.now(session))
    failpoint("payouts.listed")
    return True


def _pages(provider: Provider, facts: PayoutFacts, *, after: str | None = None) -> Iterator[list[ListedMovement]]:
    """What it holds, or that behind one movement; of one made by hand the provider would refuse to say."""
    return iter(()) if facts.by_hand else provider.payout_movement_pages(payout_ref=facts.payout_ref, after=after)


def _whose(parts: Parts, provider: Provider, account_id: UUID, facts: PayoutFacts) -> dict[UUID, int] | None:
    """Whose money it holds: by its list, or, where it ended before it had one, by as much as is listed.

    None while it holds one that came back and whose sellers are not known yet: that one's turn comes first.
    """
    if facts.listed:
        with parts.begin() as session:
            return sellers_of_payout(session, account_id=account_id, payout_ref=facts.payout_ref)
    whose: Counter[UUID] = Counter()
    for page in _pages(provider, facts):
        with parts.begin() as session:
            held = [each.balance_ref for each in page]
            known = sellers_of(session, account_id=account_id, balance_refs=held)
        if known is None:
            return None
        whose.update(known)
    return whose


def _shares(whose: dict[UUID, int], facts: PayoutFacts, home: UUID) -> JsonList:
    """What is nobody's (all, where nobody is known) is the seller's with the most in it."""
    known = whose or {home: 0}
    rest = facts.amount_minor - sum(known.values())
    most = max(known, key=lambda seller: known[seller])
    return [
        {"seller_id": str(seller), "amount_minor": amount + (rest if seller == most else 0)}
        for seller, amount in sorted(known.items())
    ]
