"""Usage records and the lines that bill them (rules 3 and 7)."""

from fractions import Fraction

from tests.oracle.amounts import cost, exact, rounded
from tests.oracle.state import Item, Line, Period, Record, Refused, Subscription, World
from tests.oracle.times import Moment


def _in_pause(*, sub: Subscription, at: Moment) -> bool:
    return any(first <= at and (last is None or at < last) for first, last in sub.pauses)


def _is_invoiced(*, sub: Subscription, price: str, stamp: Moment) -> bool:
    """Whether a document has told of that time already, and no line of it waits."""
    if any(line.price == price and line.counted and line.counted[0] <= stamp for line in sub.waiting):
        return False
    return stamp < sub.start or any(name == price and first <= stamp < end for name, first, end in sub.invoiced)


def record(*, world: World, sub: Subscription, price: str, quantity: object, id: str, stamp: Moment) -> None:
    """Takes a record; one whose period is already invoiced counts in the running period or not at all."""
    if id in sub.seen:
        return
    if not world.metered(price=price) or not any(item.price == price for item in sub.items):
        raise Refused("price_not_subscribed")
    if stamp > world.now:
        raise Refused("usage_in_future")
    if stamp < sub.started:
        raise Refused("usage_before_start")
    sub.seen.add(id)
    counts_at = stamp
    free = stamp < sub.first_billed or _in_pause(sub=sub, at=stamp)
    if not free and _is_invoiced(sub=sub, price=price, stamp=stamp):
        if world.prices[price]["usage"] != "sum":
            world.late_usage.append({"subscription": sub.name, "price": price, "id": id})
            return
        since = next(item.since for item in sub.items if item.price == price)
        counts_at = max(sub.start, since)
    sub.records.append(Record(price=price, stamp=stamp, counts_at=counts_at, quantity=exact(value=quantity)))


def quantity(*, world: World, sub: Subscription, price: str, counted: Period) -> Fraction:
    """What the records in [start, end) come to."""
    first, last = counted
    records = [
        r
        for r in sub.records
        if r.price == price
        and first <= r.counts_at < last
        and r.stamp >= sub.first_billed
        and not _in_pause(sub=sub, at=r.stamp)
    ]
    if not records:
        return Fraction(0)
    how = world.prices[price]["usage"]
    if how == "sum":
        return sum((r.quantity for r in records), Fraction(0))
    if how == "max":
        return max(r.quantity for r in records)
    latest = max(r.stamp for r in records)
    return [r.quantity for r in records if r.stamp == latest][-1]


def line(*, world: World, sub: Subscription, item: Item, end: Moment) -> Line:
    """The usage line of a metered item for the running period, up to `end`."""
    return Line(
        kind="usage",
        price=item.price,
        rate=world.rate(price=item.price),
        quantity=Fraction(0),
        amount=0,
        period=(sub.start, end),
        counted=(max(sub.start, item.since), end),
        only_if_used=sub.status == "paused",
    )


def lines(*, world: World, sub: Subscription, end: Moment) -> list[Line]:
    """The metered lines of [start, end), in item order; none of an empty period or of a trial."""
    if sub.trial or end <= sub.start:
        return []
    return [line(world=world, sub=sub, item=item, end=end) for item in sub.items if world.metered(price=item.price)]


def count(*, world: World, sub: Subscription, found: Line) -> bool:
    """Fills a usage line's quantity and amount; false where it is not written."""
    found.quantity = quantity(world=world, sub=sub, price=found.price, counted=found.counted)
    found.amount = rounded(cost(price=world.prices[found.price], quantity=found.quantity))
    sub.invoiced.append((found.price, *found.counted))
    return not (found.only_if_used and found.quantity == 0)
