"""Moving a cohort from one price to another at each one's next period; a dry run shows the effect on each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.subscription.move_price import check_move, schedule_moves
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.queries.catalog import PriceFacts, prices_by_code
from billing.queries.cohort import Member, cohort_page, dropped_moves, lock_members
from billing.rules.lines import priced

PAGE = 500
"""Subscriptions that are moved in one transaction."""
NOT_BILLED = "a period has begun that is not billed yet, at the old price; move it again once it is"
"""Why one that is due is left: its next period to bill is not its next period."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The effect on one subscription: what the item costs a period before and after, null where usage decides.

    `skipped` says why it is left as it is; what would be more than a line holds has no price after.
    """

    subscription: str
    account_id: str
    at: datetime | None
    quantity: int | None
    before_minor: int | None
    after_minor: int | None
    currency: str
    skipped: str | None = None
    dropped_at: datetime | None = None
    """When a change of its items took an earlier move to that price back."""


@dataclass(frozen=True, slots=True)
class Page:
    """The effects on some subscriptions, in the order of their ids; `last` is the id of the last one."""

    effects: tuple[Moved, ...]
    last: UUID | None


def move_price(parts: Parts, *, seller_id: UUID, old_code: str, new_code: str, dry_run: bool) -> Iterator[Moved]:
    """Move every subscription that has the old price. Yields each as it is done; those with both, and those that are
    due, are skipped.

    Pages are transactions of their own: interrupted, it is simply done again. Raises as `check_pair` does.
    """
    with parts.begin() as session:
        pair = check_pair(session, seller_id=seller_id, old_code=old_code, new_code=new_code)
    after: UUID | None = None
    while True:
        with parts.begin() as session:
            page = move_page(parts, session, pair, seller_id=seller_id, after=after, most=PAGE, dry_run=dry_run)
        if page.last is None:
            return
        yield from page.effects
        after = page.last


def check_pair(session: Session, *, seller_id: UUID, old_code: str, new_code: str) -> tuple[PriceFacts, PriceFacts]:
    """The price that is left, and the one that takes its place.

    Raises `Refused`: `price_not_found`, `same_price`, `price_differs`.
    """
    prices = prices_by_code(session, seller_id=seller_id, codes=[old_code, new_code])
    missing = [
        Fault(name, "price_not_found", f"no price has the code {code}")
        for name, code in (("from", old_code), ("to", new_code))
        if code not in prices
    ]
    if missing:
        raise Refused(missing)
    check_move(prices[old_code], prices[new_code])
    return prices[old_code], prices[new_code]


def move_page(
    parts: Parts,
    session: Session,
    pair: tuple[PriceFacts, PriceFacts],
    *,
    seller_id: UUID,
    after: UUID | None,
    most: int,
    dry_run: bool,
) -> Page:
    """Move the next `most` subscriptions by id within the caller's transaction, or show what that would do."""
    old, new = pair
    page = cohort_page(session, seller_id=seller_id, price_id=old.id, after=after or UUID(int=0), most=most)
    if not page:
        return Page((), None)
    last = page[-1].subscription_id
    if not dry_run:
        page = lock_members(session, page, seller_id=seller_id, price_id=old.id)
    now = parts.clock.now(session)
    dropped = dropped_moves(session, subscription_ids=[each.subscription_id for each in page], price_id=new.id)
    effects = tuple(replace(_told(each, old, new, now), dropped_at=dropped.get(each.subscription_id)) for each in page)
    if not dry_run:
        fit = [member for member, effect in zip(page, effects, strict=True) if effect.skipped is None]
        schedule_moves(session, fit, old=old.id, new=new.id, now=now)
    return Page(effects, last)


def _has(member: Member, price: PriceFacts) -> bool:
    return any(id_ == price.id for id_, _ in member.items)


def _told(member: Member, old: PriceFacts, new: PriceFacts, now: datetime) -> Moved:
    quantity = next(quantity for id_, quantity in member.items if id_ == old.id)
    before, after, skipped = _cost(old, quantity), None, None
    try:
        after = _cost(new, quantity)
    except Refused as refused:
        skipped = refused.faults[0].mend
    if _has(member, new):
        skipped = "it has the new price already"
    elif member.due_at is not None and member.due_at <= now:
        skipped = NOT_BILLED
    return Moved(member.code, member.account_id, member.due_at, quantity, before, after, old.given.currency, skipped)


def _cost(price: PriceFacts, quantity: int | None) -> int | None:
    return None if quantity is None else priced(price.terms, Decimal(quantity)).amount_minor
