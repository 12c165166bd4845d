"""What a subscription must be: at least one price, all of one rhythm and currency, and a start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.kernel.clock import format_instant
from billing.kernel.errors import Fault, Refused
from billing.kernel.period import MOST_PERIODS_BEHIND, Interval, IntervalUnit, boundary, period_no_at
from billing.validators.checks import Checks
from billing.validators.price import NewPrice

COLLECTIONS = ("automatic", "send_invoice")
MOST_ITEMS = 50
MOST_TRIAL_DAYS = 36_500
MOST_QUANTITY = 1_000_000_000


@dataclass(frozen=True, slots=True)
class NewItem:
    """One price, by its code, and how many of it: 1 unless given; a metered price has none."""

    price_code: str
    quantity: int | None = None


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """Who has what, from when. `code` is the host's name for it.

    `start` is the anchor, boundary 0, unless `trial_days` (calendar days, free) or `anchor` (a later moment, at most a
    full period ahead; what lies before it is a prorated first period) says otherwise. `paid_through` is for a business
    that moves in: the boundary up to which the customer has paid elsewhere. `timezone`: None means the profile's.
    """

    code: str
    account_id: str
    items: tuple[NewItem, ...]
    start: datetime
    timezone: str | None = None
    paid_through: datetime | None = None
    collection: str = "automatic"
    days_until_due: int = 30
    trial_days: int | None = None
    anchor: datetime | None = None
    coupon_code: str | None = None
    first_payment: bool = False
    """Active only once its first invoice is paid; given up after 23 hours (DECISIONS 34)."""


def check_new_subscription(new: NewSubscription) -> None:
    """Raise `Refused` with every fault of `new` that can be seen without the catalog."""
    checks = Checks()
    checks.code("code", new.code)
    checks.storable("account_id", new.account_id)
    _check_items(checks, new.items)
    if new.timezone is not None:
        checks.timezone("timezone", new.timezone)
    checks.instant("start", new.start)
    if new.paid_through is not None:
        checks.instant("paid_through", new.paid_through)
        if new.trial_days or new.anchor is not None:
            checks.fault(
                "paid_through", "paid_through_and_anchor", "give the boundary as start, without trial or anchor"
            )
    if new.trial_days is not None:
        checks.whole("trial_days", new.trial_days, least=0, most=MOST_TRIAL_DAYS)
    if new.anchor is not None:
        checks.instant("anchor", new.anchor)
        if new.trial_days is not None:
            checks.fault("trial_days", "trial_with_anchor", "give a trial or an anchor; a trial's end is the anchor")
    if new.first_payment and (new.trial_days or new.collection != "automatic"):
        mend = "a trial, and an invoice that is sent, have no first payment to wait for"
        checks.fault("first_payment", "no_first_payment", mend)
    if new.coupon_code is not None:
        checks.code("coupon", new.coupon_code)
    checks.one_of("collection", new.collection, COLLECTIONS)
    checks.whole("days_until_due", new.days_until_due, least=0, most=365)
    checks.done()


def check_items(items: Sequence[NewItem]) -> None:
    """Raise `Refused` with every fault of a list of items that can be seen without the catalog."""
    checks = Checks()
    _check_items(checks, items)
    checks.done()


def _check_items(checks: Checks, items: Sequence[NewItem]) -> None:
    if not items:
        checks.fault("items", "no_items", "give at least one price")
    if len(items) > MOST_ITEMS:
        checks.fault("items", "too_many", f"at most {MOST_ITEMS} items")
    for place, item in enumerate(items, start=1):
        checks.code(f"items.{place}.price", item.price_code)
        if item.quantity is not None:
            checks.whole(f"items.{place}.quantity", item.quantity, least=1, most=MOST_QUANTITY)
    codes = [item.price_code for item in items]
    if len(set(codes)) < len(codes):
        checks.fault("items", "price_twice", "name each price once and give its quantity")


def check_against_prices(items: Sequence[NewItem], prices: Mapping[str, NewPrice]) -> None:
    """Raise `Refused` unless the items' prices are there and fit together: one currency, one interval of what recurs.

    `prices` by code. What a missing price may bring is not held against the others.
    """
    checks = Checks()
    found = [prices[item.price_code] for item in items if item.price_code in prices]
    recurring = [price for price in found if price.interval_unit is not None]
    if not recurring and len(found) == len(items):
        checks.fault("items", "nothing_recurs", "give at least one price with an interval")
    if len({price.currency for price in found}) > 1:
        checks.fault("items", "currencies_differ", "one subscription has one currency")
    if len({(price.interval_unit, price.interval_count) for price in recurring}) > 1:
        checks.fault("items", "intervals_differ", "one subscription has one interval")
    for place, item in enumerate(items, start=1):
        price = prices.get(item.price_code)
        if price is None:
            checks.fault(f"items.{place}.price", "price_not_found", f"no price has the code {item.price_code}")
        elif price.usage is not None and item.quantity is not None:
            mend = "leave it out; what is used of a metered price is recorded"
            checks.fault(f"items.{place}.quantity", "quantity_of_metered", mend)
    checks.done()


def first_period_to_bill(*, anchor: datetime, zone: str, interval: Interval, paid_through: datetime) -> int:
    """The number of the first period that is ours to bill: the one that begins at `paid_through`.

    Raises `Refused` (`paid_through_not_a_boundary`, naming the two nearest; `paid_through_before_start`).
    """
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


def check_behind(field: str, *, anchor: datetime, zone: str, interval: Interval, first_no: int, now: datetime) -> None:
    """Raise `Refused` (`start_too_early`) where more periods from the first to bill lie before `now` than one request
    may bill: a business that moves in after more says what was paid elsewhere (`paid_through`). `field` says what the
    first one follows from."""
    behind = period_no_at(anchor, zone, interval, now) - first_no
    if behind > MOST_PERIODS_BEHIND:
        mend = f"{behind} periods lie behind it, and at most {MOST_PERIODS_BEHIND} are billed at once: give a later one"
        raise Refused(Fault(field, "start_too_early", mend))


def check_anchor(*, start: datetime, anchor: datetime, zone: str, interval: Interval) -> None:
    """Raise `Refused` (`anchor_not_later`, `anchor_too_late`, `out_of_range`) unless it ends a first period that began
    by `start`."""
    if anchor <= start:
        raise Refused(Fault("anchor", "anchor_not_later", "give a moment after the start, or leave the anchor out"))
    try:
        earliest = boundary(anchor, zone, interval, -1)
    except (OverflowError, ValueError):
        mend = "the full period before it would begin before the calendar does; give a later one"
        raise Refused(Fault("anchor", "out_of_range", mend)) from None
    if earliest > start:
        mend = f"at most one full period ahead; that of this anchor begins at {format_instant(earliest)}"
        raise Refused(Fault("anchor", "anchor_too_late", mend))


def interval_of(prices: Iterable[NewPrice]) -> Interval:
    """The interval of those that recur."""
    return next(
        Interval(IntervalUnit(price.interval_unit), price.interval_count)
        for price in prices
        if price.interval_unit is not None
    )
