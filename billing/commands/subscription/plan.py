"""Plan a subscription: its rows computed from input and catalog, without a write (DECISIONS 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from billing.kernel.errors import Fault, Refused
from billing.kernel.period import Interval, boundary
from billing.queries.catalog import PriceFacts
from billing.validators.subscription import (
    NewSubscription,
    check_new_subscription,
    check_one_rhythm,
    first_period_to_bill,
    interval_of,
)


@dataclass(frozen=True, slots=True)
class PlannedSubscription:
    """A subscription ready to be written. Period `next_period_no` begins at `next_due_at` and is the first to bill."""

    new: NewSubscription
    timezone: str
    interval: Interval
    currency: str
    items: tuple[tuple[PriceFacts, int], ...]
    """(price, quantity) in order."""
    next_period_no: int
    next_due_at: datetime
    first_period_end: datetime


def plan_subscription(
    new: NewSubscription, *, profile_timezone: str, prices: Mapping[str, PriceFacts]
) -> PlannedSubscription:
    """Compute what `new` means. `prices` by code holds at least those of its items that exist.

    Raises `Refused`: the faults of `check_new_subscription` and `check_one_rhythm`, `price_not_found`,
    `paid_through_not_a_boundary`, `paid_through_before_start`.
    """
    check_new_subscription(new)
    missing = [
        Fault(f"items.{place}.price", "price_not_found", f"no price has the code {item.price_code}")
        for place, item in enumerate(new.items, start=1)
        if item.price_code not in prices
    ]
    if missing:
        raise Refused(missing)
    items = tuple((prices[item.price_code], item.quantity) for item in new.items)
    check_one_rhythm([price for price, _ in items])
    first = items[0][0]
    interval = interval_of(first)
    zone = new.timezone or profile_timezone
    k = first_period_to_bill(anchor=new.start, zone=zone, interval=interval, paid_through=new.paid_through)
    return PlannedSubscription(
        new=new,
        timezone=zone,
        interval=interval,
        currency=first.currency,
        items=items,
        next_period_no=k,
        next_due_at=boundary(new.start, zone, interval, k),
        first_period_end=boundary(new.start, zone, interval, k + 1),
    )
