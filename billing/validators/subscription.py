"""What a subscription must be: at least one price, all of one rhythm and currency, and a start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from billing.kernel.clock import format_instant
from billing.kernel.errors import Fault, Refused
from billing.kernel.period import Interval, IntervalUnit, boundary, period_no_at
from billing.validators.checks import Checks

COLLECTIONS = ("automatic", "send_invoice")
MOST_ITEMS = 50
MOST_QUANTITY = 1_000_000_000


@dataclass(frozen=True, slots=True)
class NewItem:
    """One price, by its code, and how many of it."""

    price_code: str
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """Who has what, from when. `code` is the host's name for it.

    `start` is the anchor: boundary 0. `paid_through` is for a business that moves in: the boundary up to which the
    customer has paid elsewhere. `timezone`: None means the profile's.
    """

    code: str
    account_id: str
    items: tuple[NewItem, ...]
    start: datetime
    timezone: str | None = None
    paid_through: datetime | None = None
    collection: str = "automatic"
    days_until_due: int = 30


class Rhythm(Protocol):
    """What the items of one subscription must have in common."""

    @property
    def currency(self) -> str: ...
    @property
    def interval_unit(self) -> str: ...
    @property
    def interval_count(self) -> int: ...


def check_new_subscription(new: NewSubscription) -> None:
    """Raise `Refused` with every fault of `new` that can be seen without the catalog."""
    checks = Checks()
    checks.code("code", new.code)
    if not new.items:
        checks.fault("items", "no_items", "give at least one price")
    if len(new.items) > MOST_ITEMS:
        checks.fault("items", "too_many", f"at most {MOST_ITEMS} items")
    for place, item in enumerate(new.items, start=1):
        checks.code(f"items.{place}.price", item.price_code)
        checks.whole(f"items.{place}.quantity", item.quantity, least=1, most=MOST_QUANTITY)
    codes = [item.price_code for item in new.items]
    if len(set(codes)) < len(codes):
        checks.fault("items", "price_twice", "name each price once and give its quantity")
    if new.timezone is not None:
        checks.timezone("timezone", new.timezone)
    checks.instant("start", new.start)
    if new.paid_through is not None:
        checks.instant("paid_through", new.paid_through)
    checks.one_of("collection", new.collection, COLLECTIONS)
    checks.whole("days_until_due", new.days_until_due, least=0, most=365)
    checks.done()


def check_one_rhythm(prices: Sequence[Rhythm]) -> None:
    """Raise `Refused` unless all prices share currency and interval."""
    checks = Checks()
    if len({price.currency for price in prices}) > 1:
        checks.fault("items", "currencies_differ", "one subscription has one currency")
    if len({(price.interval_unit, price.interval_count) for price in prices}) > 1:
        checks.fault("items", "intervals_differ", "one subscription has one interval")
    checks.done()


def first_period_to_bill(*, anchor: datetime, zone: str, interval: Interval, paid_through: datetime | None) -> int:
    """The number of the first period that is ours to bill: 0, or the one that begins at `paid_through`.

    Raises `Refused` (`paid_through_not_a_boundary`, naming the two nearest; `paid_through_before_start`).
    """
    if paid_through is None:
        return 0
    if paid_through < anchor:
        mend = f"it begins at {format_instant(anchor)}; give that or a later boundary"
        raise Refused(Fault("paid_through", "paid_through_before_start", mend))
    k = period_no_at(anchor, zone, interval, paid_through)
    before = boundary(anchor, zone, interval, k)
    if before == paid_through:
        return k
    after = boundary(anchor, zone, interval, k + 1)
    mend = f"give {format_instant(before)} or {format_instant(after)}, or another anchor"
    raise Refused(Fault("paid_through", "paid_through_not_a_boundary", mend))


def interval_of(rhythm: Rhythm) -> Interval:
    """The interval that a price names."""
    return Interval(IntervalUnit(rhythm.interval_unit), rhythm.interval_count)
