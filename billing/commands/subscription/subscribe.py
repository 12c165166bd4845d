"""Subscribe: write planned subscriptions with their items. The renewal flow bills them when they are due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.subscription.lines import once
from billing.commands.subscription.plan import PlannedSubscription, plan_subscription, priced_items
from billing.commands.subscription.waiting import write_waiting
from billing.db.bulk import insert_rows
from billing.events.bulk import emit_many
from billing.events.topics import Topic
from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_id, new_ids
from billing.kernel.kinds import takes
from billing.kernel.status import PeriodDisposition, SubscriptionStatus
from billing.models import BillingPeriod, Subscription, SubscriptionItem
from billing.queries.catalog import PriceFacts, prices_by_code, usable_coupon
from billing.queries.payment_method import default_kinds
from billing.queries.profile import accounts
from billing.queries.standing import Item, prices_in_use
from billing.rules.debit import brings
from billing.rules.walk import STUB
from billing.validators.subscription import NewSubscription, check_new_subscription

FIRST_PAYMENT_WITHIN = timedelta(hours=23)
"""Time for the first payment of an `incomplete` subscription, in business time from its start, or from when it was
written: a start may lie behind."""


def subscribe(session: Session, *, seller_id: UUID, new: NewSubscription, now: datetime) -> Subscription:
    """Plan and write one subscription, due at its start, at its trial's end, or at the boundary paid up to.

    Raises `Refused`: those of `plan_subscription`, `profile_not_found`, and of `write_subscriptions`.
    """
    check_new_subscription(new)
    payer = accounts(session, seller_id=seller_id, account_ids=[new.account_id]).get(new.account_id)
    prices = prices_by_code(session, seller_id=seller_id, codes=[item.price_code for item in new.items])
    if payer is None:
        unknown = Fault("account_id", "profile_not_found", "create a profile for the account first")
        raise Refused([unknown, *_item_faults(new, prices)])
    profile_id, zone = payer
    planned = plan_subscription(new, profile_timezone=zone, prices=prices, now=now)
    ids = write_subscriptions(
        session, seller_id=seller_id, planned=[planned], profiles={new.account_id: profile_id}, now=now
    )
    return session.get_one(Subscription, ids[new.code])


def _item_faults(new: NewSubscription, prices: Mapping[str, PriceFacts]) -> list[Fault]:
    try:
        priced_items(new.items, prices)
    except Refused as refused:
        return refused.faults
    return []


def write_subscriptions(
    session: Session,
    *,
    seller_id: UUID,
    planned: Sequence[PlannedSubscription],
    profiles: Mapping[str, UUID],
    now: datetime,
) -> dict[str, UUID]:
    """Write many in a fixed number of statements; return their ids by code. `profiles`: id by account id.

    Raises `Refused`: `subscription_code_taken`, `coupon_not_found`, `coupon_of_another_currency`,
    `first_payment_takes_days`.
    """
    if not planned:
        return {}
    _require_in_time(session, planned, profiles)
    coupons = _coupons(session, seller_id, planned)
    rows = [
        _row(id_, seller_id, profiles[plan.new.account_id], plan, coupons) | {"expires_at": _expires_at(plan, now)}
        for id_, plan in zip(new_ids(len(planned)), planned, strict=True)
    ]
    written = insert_rows(session, Subscription, rows, unless_taken=("seller_id", "code"), returning=("code", "id"))
    ids = {row.code: row.id for row in written}
    if taken := [plan.new.code for plan in planned if plan.new.code not in ids]:
        raise Refused([Fault("code", "subscription_code_taken", f"{code} is taken; choose another") for code in taken])
    insert_rows(session, SubscriptionItem, _item_rows(seller_id, planned, ids))
    insert_rows(session, BillingPeriod, _trial_rows(seller_id, planned, ids))
    _write_one_offs(session, seller_id, planned, ids)
    emit_many(
        session,
        topic=Topic.SUBSCRIPTION_CREATED,
        object_type="subscription",
        now=now,
        events=[
            (seller_id, ids[plan.new.code], f'{{"profile_id":"{profiles[plan.new.account_id]}"}}') for plan in planned
        ],
    )
    return ids


def _require_in_time(session: Session, planned: Sequence[PlannedSubscription], profiles: Mapping[str, UUID]) -> None:
    """Refuse to wait hours for what takes days, each by its code. Without a method that pays it waits for one."""
    waiting = [plan for plan in planned if plan.new.first_payment]
    if not waiting:
        return
    kinds = default_kinds(session, {profiles[plan.new.account_id] for plan in waiting})
    late = [
        plan.new.code
        for plan in waiting
        if (kind := kinds.get(profiles[plan.new.account_id])) is not None
        and takes(kind, plan.currency)
        and not brings(kind, plan.currency, first_payment=True)
    ]
    if late:
        mend = (
            "the customer pays from a bank account: subscribe without first_payment, or after they chose another method"
        )
        raise Refused([Fault("first_payment", "first_payment_takes_days", f"{code}: {mend}") for code in late])


def _coupons(session: Session, seller_id: UUID, planned: Sequence[PlannedSubscription]) -> dict[str, UUID]:
    """The ids of the coupons named, each usable on what names it."""
    found = {}
    for plan in planned:
        if (code := plan.new.coupon_code) is not None:
            found[code] = usable_coupon(session, seller_id=seller_id, code=code, currency=plan.currency).id
    return found


def _status(plan: PlannedSubscription) -> SubscriptionStatus:
    if plan.new.first_payment:
        return SubscriptionStatus.INCOMPLETE
    return SubscriptionStatus.TRIALING if plan.trial_end else SubscriptionStatus.ACTIVE


def _expires_at(plan: PlannedSubscription, now: datetime) -> datetime | None:
    return max(plan.new.start, now) + FIRST_PAYMENT_WITHIN if plan.new.first_payment else None


def _row(
    id_: UUID, seller_id: UUID, profile_id: UUID, plan: PlannedSubscription, coupons: Mapping[str, UUID]
) -> dict[str, Any]:
    new = plan.new
    return {
        "id": id_,
        "seller_id": seller_id,
        "profile_id": profile_id,
        "code": new.code,
        "status": _status(plan),
        "currency": plan.currency,
        "interval_unit": plan.interval.unit,
        "interval_count": plan.interval.count,
        "timezone": plan.timezone,
        "anchor_at": plan.anchor_at,
        "trial_end": plan.trial_end,
        "current_period_start": new.start if plan.trial_end else None,
        "current_period_end": plan.trial_end,
        "coupon_id": coupons[new.coupon_code] if new.coupon_code else None,
        "anchor_no": 0,
        "next_period_no": plan.next_period_no,
        "started_at": new.start,
        "paid_through": new.paid_through,
        "next_due_at": plan.next_due_at,
        "collection": new.collection,
        "days_until_due": new.days_until_due,
        "version": 1,
    }


def _item_rows(
    seller_id: UUID, planned: Sequence[PlannedSubscription], ids: Mapping[str, UUID]
) -> list[dict[str, Any]]:
    rows = [
        {
            "seller_id": seller_id,
            "subscription_id": ids[plan.new.code],
            "price_id": price.id,
            "quantity": quantity,
            "position": position,
            "counts_from": plan.new.start,
            "version": 1,
        }
        for plan in planned
        for position, (price, quantity) in enumerate(plan.items, start=1)
    ]
    return [{"id": id_, **row} for id_, row in zip(new_ids(len(rows)), rows, strict=True)]


def _trial_rows(
    seller_id: UUID, planned: Sequence[PlannedSubscription], ids: Mapping[str, UUID]
) -> list[dict[str, Any]]:
    """A trial is a period like any other, before the first one that is billed."""
    return [
        {
            "id": new_id(),
            "seller_id": seller_id,
            "subscription_id": ids[plan.new.code],
            "anchor_no": 0,
            "period_no": STUB,
            "starts_at": plan.new.start,
            "ends_at": plan.trial_end,
            "disposition": PeriodDisposition.TRIAL,
        }
        for plan in planned
        if plan.trial_end is not None
    ]


def _write_one_offs(
    session: Session, seller_id: UUID, planned: Sequence[PlannedSubscription], ids: Mapping[str, UUID]
) -> None:
    """What is charged once waits for the first invoice."""
    prices = prices_in_use(session, {price.id for plan in planned for price, _ in plan.one_offs})
    write_waiting(
        session,
        [
            (seller_id, ids[plan.new.code], once(Item(None, prices[price.id], quantity, plan.new.start)))
            for plan in planned
            for price, quantity in plan.one_offs
        ],
    )
