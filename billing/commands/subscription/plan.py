"""Plan a subscription: its rows computed from input and catalog, without a write (DECISIONS 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from billing.kernel.errors import Fault, Refused
from billing.kernel.money import MOST_AMOUNT
from billing.kernel.period import Interval, IntervalUnit, boundary
from billing.queries.catalog import PriceFacts
from billing.rules.lines import priced
from billing.rules.walk import STUB
from billing.validators.subscription import (
    NewItem,
    NewSubscription,
    check_against_prices,
    check_anchor,
    check_behind,
    check_new_subscription,
    first_period_to_bill,
    interval_of,
)

PlannedItem = tuple[PriceFacts, int | None]
"""A price and how many of it; none of a metered one."""


@dataclass(frozen=True, slots=True)
class PlannedSubscription:
    """A subscription ready to be written. Period `next_period_no` begins at `next_due_at` and is the first to bill."""

    new: NewSubscription
    timezone: str
    interval: Interval
    currency: str
    items: tuple[PlannedItem, ...]
    """What recurs, in order."""
    one_offs: tuple[PlannedItem, ...]
    """What the first invoice charges once."""
    anchor_at: datetime
    trial_end: datetime | None
    next_period_no: int
    next_due_at: datetime


def plan_subscription(
    new: NewSubscription, *, profile_timezone: str, prices: Mapping[str, PriceFacts], now: datetime
) -> PlannedSubscription:
    """Compute what `new` means. `prices` by code holds at least those of its items that exist.

    Raises `Refused`: the faults of `check_new_subscription` and `check_against_prices`, `amount_too_large`,
    `anchor_not_later`, `anchor_too_late`, `paid_through_not_a_boundary`, `paid_through_before_start`,
    `start_too_early`.
    """
    check_new_subscription(new)
    items = priced_items(new.items, prices)
    interval = interval_of(price.given for price, _ in items)
    zone = new.timezone or profile_timezone
    anchor, trial_end, k, due = new.start, None, 0, new.start
    if new.trial_days:
        trial_end = boundary(new.start, zone, Interval(IntervalUnit.DAY, new.trial_days), 1)
        anchor = due = trial_end
    elif new.anchor is not None:
        check_anchor(start=new.start, anchor=new.anchor, zone=zone, interval=interval)
        anchor, k = new.anchor, STUB
    elif new.paid_through is not None:
        k = first_period_to_bill(anchor=new.start, zone=zone, interval=interval, paid_through=new.paid_through)
        due = boundary(new.start, zone, interval, k)
    field = "start" if new.paid_through is None else "paid_through"
    check_behind(field, anchor=anchor, zone=zone, interval=interval, first_no=k, now=now)
    return PlannedSubscription(
        new=new,
        timezone=zone,
        interval=interval,
        currency=items[0][0].given.currency,
        items=tuple(item for item in items if item[0].given.interval_unit is not None),
        one_offs=tuple(item for item in items if item[0].given.interval_unit is None),
        anchor_at=anchor,
        trial_end=trial_end,
        next_period_no=k,
        next_due_at=due,
    )


def priced_items(items: Sequence[NewItem], prices: Mapping[str, PriceFacts]) -> list[PlannedItem]:
    """The items with their prices, and quantity 1 where a licensed one gives none.

    Raises `Refused`: the faults of `check_against_prices`, `amount_too_large`.
    """
    named = {item.price_code for item in items} & prices.keys()
    check_against_prices(items, {code: prices[code].given for code in named})
    found = [(prices[item.price_code], item.quantity) for item in items]
    planned = [(price, 1 if quantity is None and price.given.usage is None else quantity) for price, quantity in found]
    _check_amounts(planned)
    return planned


def _check_amounts(items: Sequence[PlannedItem]) -> None:
    """Whoever is taken in can be billed: what a period costs in advance is less than a line may hold."""
    faults, sum_minor = [], 0
    for place, (price, quantity) in enumerate(items, start=1):
        if quantity is None:
            continue
        try:
            sum_minor += priced(price.terms, Decimal(quantity)).amount_minor
        except Refused as refused:
            faults.append(replace(refused.faults[0], field=f"items.{place}.quantity"))
    if not faults and sum_minor > MOST_AMOUNT:
        mend = (
            f"a period costs less than 10^15 minor units in all, and this one would {sum_minor}: lower the quantities"
        )
        faults.append(Fault("items", "amount_too_large", mend))
    if faults:
        raise Refused(faults)
