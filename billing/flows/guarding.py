"""Guarding: what is out of the ordinary is held as drafts with one work item, before anything of it is issued.

By seller setting, off unless it is set: a day above the same weekday's usual, a document above the customer's last, a
long catch-up (DECISIONS 18). Nothing is read for sellers without guards.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID, uuid5

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.commands.invoice.planned import Held, PlannedInvoice
from billing.commands.subscription.renew import Walked
from billing.commands.work_item.raise_item import raise_item
from billing.kernel.money import format_minor
from billing.kernel.status import LIVE_WORK
from billing.kernel.work import WorkKind
from billing.models import Seller
from billing.queries.guarding import days_of, due_count, held_already, last_item, last_totals
from billing.queries.standing import Standing
from billing.rules.guards import Day, unusual_amount, unusual_day, whole

DAY = WorkKind.DAY_GUARDED
"""Kind of the one work item of a day that is out of the ordinary."""
SUBSCRIPTION = WorkKind.INVOICE_GUARDED
"""Kind of the work item of a subscription whose documents are held: too high, or too many at once."""
ACTIONS = ("release", "merge", "skip", "discard", "park")
_DAYS = UUID("5f0b9c0e-8a44-4b0b-9a53-8d5a6f7a1c02")

Reason = tuple[Seller, UUID, str]
"""Seller, profile, and why."""


def guard_the_day(session: Session, *, now: datetime) -> None:
    """Before a tick is cut: hold the day of each guarded seller whose due subscriptions alone are too many."""
    for seller in session.scalars(select(Seller).where(Seller.guard_volume.is_not(None)).order_by(Seller.id)):
        if _state(session, seller, now) is not None:
            continue
        today, before = days_of(session, seller.id, now.date())
        count = Day(whole(today).documents + due_count(session, seller.id, now), 0)
        assert seller.guard_volume is not None
        if why := unusual_day(count, [whole(day) for day in before], times=seller.guard_volume):
            _hold_day(session, seller, why, now)


def guard(
    session: Session,
    standing: Standing,
    walked: Sequence[Walked],
    documents: Sequence[PlannedInvoice],
    *,
    now: datetime,
) -> dict[UUID, UUID]:
    """Of what is planned for a slice: subscriptions whose documents are to be held, with the work item of each."""
    sellers = {
        id_: seller
        for id_, seller in standing.sellers.items()
        if seller.guard_volume or seller.guard_amount or seller.guard_catch_up
    }
    # What waits for its first payment is a draft as it is: its customer is at hand, and pays it or not.
    wanted = [
        each
        for each in documents
        if each.seller_id in sellers
        and each.subscription_id
        and each.kind == "invoice"
        and each.held is not Held.FIRST_PAYMENT
    ]
    if not wanted:
        return {}
    of = {each.subscription_id: each for each in wanted if each.subscription_id is not None}
    guarded = held_already(session, of)
    for seller in sellers.values():
        item_id = _day(session, seller, [each for each in wanted if each.seller_id == seller.id], now)
        if item_id is not None:
            guarded |= {id_: item_id for id_, each in of.items() if each.seller_id == seller.id and id_ not in guarded}
    reasons = _too_many(sellers, walked) | _too_high(session, sellers, wanted)
    for subscription_id, (seller, profile_id, why) in sorted(reasons.items()):
        if subscription_id in of and subscription_id not in guarded:
            guarded[subscription_id] = _hold(
                session,
                kind=SUBSCRIPTION,
                subject=("subscription", subscription_id),
                seller=seller,
                profile_id=profile_id,
                summary="The documents of a subscription are out of the ordinary and are held as drafts.",
                why=why,
                held=[each for each in wanted if each.subscription_id == subscription_id],
                now=now,
            )
    return guarded


_COUNT = text(
    """
    INSERT INTO billing.issued_day (seller_id, day, currency, documents, amount_minor)
    VALUES (:seller, :day, :currency, :documents, :amount)
    ON CONFLICT (seller_id, day, currency) DO UPDATE
    SET documents = issued_day.documents + excluded.documents,
        amount_minor = issued_day.amount_minor + excluded.amount_minor
    """
)


def count_issued(
    session: Session, sellers: Mapping[UUID, Seller], documents: Sequence[PlannedInvoice], *, now: datetime
) -> None:
    """Count what a slice has issued towards its day, for sellers whose guard of volume is on.

    What is reviewed counts as drafted; what waits for a payment or a person counts when that has come.
    """
    _count(
        session,
        sellers,
        [
            (each.seller_id, each.currency, each.totals.total_minor)
            for each in documents
            if each.held in (None, Held.REVIEW) and each.kind == "invoice"
        ],
        now=now,
    )


def count_released(session: Session, drafts: Sequence[tuple[UUID, str, int]], *, now: datetime) -> None:
    """The same for drafts that were held till now: seller, currency and total of each, in minor units."""
    if not drafts:
        return
    of = select(Seller).where(Seller.id.in_({seller_id for seller_id, _, _ in drafts}))
    _count(session, {seller.id: seller for seller in session.scalars(of)}, drafts, now=now)


def _count(
    session: Session, sellers: Mapping[UUID, Seller], documents: Sequence[tuple[UUID, str, int]], *, now: datetime
) -> None:
    sums: dict[tuple[UUID, str], list[int]] = defaultdict(lambda: [0, 0])
    for seller_id, currency, total_minor in documents:
        if sellers[seller_id].guard_volume:
            sums[seller_id, currency][0] += 1
            sums[seller_id, currency][1] += total_minor
    for (seller_id, currency), (count, amount) in sorted(sums.items()):
        values = {"seller": seller_id, "day": now.date(), "currency": currency, "documents": count, "amount": amount}
        session.execute(_COUNT, values)


def _state(session: Session, seller: Seller, now: datetime) -> tuple[UUID, bool] | None:
    """The day's work item and whether it still holds; a closed one says that a person has let the day pass."""
    item = last_item(session, kind=DAY, subject_id=_day_id(seller, now))
    return None if item is None else (item.id, item.status in LIVE_WORK)


def _day_id(seller: Seller, now: datetime) -> UUID:
    return uuid5(_DAYS, f"{seller.id}/{now.date()}")


def _day(session: Session, seller: Seller, wanted: Sequence[PlannedInvoice], now: datetime) -> UUID | None:
    """The work item that holds the seller's day, where one does or has to."""
    if seller.guard_volume is None or not wanted:
        return None
    state = _state(session, seller, now)
    if state is not None:
        return state[0] if state[1] else None
    today, before = days_of(session, seller.id, now.date())
    count = Day(whole(today).documents + len(wanted), 0)
    if why := unusual_day(count, [whole(day) for day in before], times=seller.guard_volume):
        return _hold_day(session, seller, why, now)
    for currency in sorted({each.currency for each in wanted}):
        mine = [each for each in wanted if each.currency == currency]
        known = today.get(currency, Day(0, 0))
        then = Day(known.documents + len(mine), known.amount_minor + sum(each.totals.total_minor for each in mine))
        usual = [day[currency] for day in before if currency in day]
        if why := unusual_day(then, usual, times=seller.guard_volume, currency=currency):
            return _hold_day(session, seller, f"{currency}: {why}", now)
    return None


def _hold_day(session: Session, seller: Seller, why: str, now: datetime) -> UUID:
    return _hold(
        session,
        kind=DAY,
        subject=("seller", _day_id(seller, now)),
        seller=seller,
        profile_id=None,
        summary=f"{now.date()} would issue far more for {seller.code} than such a weekday does; it is held as drafts.",
        why=why,
        held=[],
        now=now,
    )


def _too_many(sellers: Mapping[UUID, Seller], walked: Sequence[Walked]) -> dict[UUID, Reason]:
    reasons: dict[UUID, Reason] = {}
    for each in walked:
        most = each.seller.guard_catch_up
        opened = sum(turn.opens is not None for turn in each.walk.turns)
        if each.seller.id in sellers and most is not None and opened > most:
            why = f"it catches up with {opened} periods or more; up to {most} are usual"
            reasons[each.row.id] = (each.seller, each.row.profile_id, why)
    return reasons


def _too_high(session: Session, sellers: Mapping[UUID, Seller], wanted: Sequence[PlannedInvoice]) -> dict[UUID, Reason]:
    looked = [each for each in wanted if sellers[each.seller_id].guard_amount is not None]
    if not looked:
        return {}
    last = last_totals(session, {each.profile_id for each in looked})
    reasons: dict[UUID, Reason] = {}
    for each in looked:
        seller, before = sellers[each.seller_id], last.get((each.profile_id, each.currency))
        assert seller.guard_amount is not None
        assert each.subscription_id is not None
        if before is not None and unusual_amount(each.totals.total_minor, before, times=seller.guard_amount):
            high, last_one = (format_minor(minor, each.currency) for minor in (each.totals.total_minor, before))
            why = f"a document of {high}; the customer's last was of {last_one}"
            reasons[each.subscription_id] = (seller, each.profile_id, why)
    return reasons


def _hold(
    session: Session,
    *,
    kind: WorkKind,
    subject: tuple[str, UUID],
    seller: Seller,
    profile_id: UUID | None,
    summary: str,
    why: str,
    held: Sequence[PlannedInvoice],
    now: datetime,
) -> UUID:
    item = raise_item(
        session,
        kind=kind,
        subject_type=subject[0],
        subject_id=subject[1],
        seller_id=seller.id,
        profile_id=profile_id,
        amount_minor=sum(each.totals.total_minor for each in held) if held else None,
        currency=held[0].currency if held else None,
        summary=summary,
        error=why,
        safe_actions=ACTIONS,
        now=now,
    )
    return item.id
