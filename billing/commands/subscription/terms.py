"""Terms: what the rows of a subscription and its items mean in time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from billing.kernel.ids import new_id
from billing.kernel.period import Interval, IntervalUnit
from billing.kernel.status import SubscriptionStatus
from billing.queries.standing import Item, PriceInUse
from billing.queries.usage import UsageWindow
from billing.rules.walk import Span


def running_span(row: Any) -> Span | None:
    """The period open now, if what is used in it is to be billed: not in a trial, not before the first one."""
    if row.current_period_start is None or row.status == SubscriptionStatus.TRIALING:
        return None
    return Span(row.current_period_start, row.current_period_end)


def rhythm(items: Iterable[Item]) -> Interval:
    """The interval that the recurring items share."""
    price = next(item.price for item in items if item.price.interval_unit is not None)
    assert price.interval_unit is not None
    return interval_of(price.interval_unit, price.interval_count)


def window_of(subscription_id: UUID, item: Item, closes: Span) -> UsageWindow:
    """Usage of an item counts from the moment it came, though its line bears the whole period."""
    assert item.price.usage is not None
    start = max(closes.start, item.counts_from)
    return UsageWindow(subscription_id, item.price.id, item.price.usage, start, closes.end)


def waiting_window(line: Any, price: PriceInUse) -> UsageWindow:
    """The same of a stored line that waits."""
    item = Item(None, price, None, line.counts_from)
    return window_of(line.subscription_id, item, Span(line.period_start, line.period_end))


def settled_items(old: Sequence[Item], new: Sequence[Item], *, at: datetime) -> list[Item]:
    """The recurring ones of `new`: what stays keeps its row, what comes counts from `at`."""
    kept = {item.price.id: item for item in old}
    settled = []
    for item in new:
        if item.price.interval_unit is None:
            continue
        before = kept.get(item.price.id)
        if before is None:
            settled.append(Item(new_id(), item.price, item.quantity, at))
        else:
            settled.append(Item(before.id, item.price, item.quantity, before.counts_from))
    return settled


@lru_cache(maxsize=256)
def interval_of(unit: str, count: int) -> Interval:
    """The interval of a row's two columns."""
    return Interval(IntervalUnit(unit), count)
