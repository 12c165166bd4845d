"""Item lists: reading them, what they cost, and the lines that charge a period (rules 1, 3 and 4)."""

from fractions import Fraction

from tests.oracle import times
from tests.oracle.amounts import cost, exact, rounded
from tests.oracle.state import Item, Line, Subscription, World
from tests.oracle.times import Moment


def split(*, world: World, items: list[dict]) -> tuple[list[dict], list[dict]]:
    """The recurring entries of a list, and the one-off ones."""
    once = [entry for entry in items if world.prices[entry["price"]].get("interval") is None]
    return [entry for entry in items if entry not in once], once


def rhythm(*, world: World, items: list[dict]) -> tuple[str, int]:
    """The interval and count that recurring entries share."""
    price = world.prices[items[0]["price"]]
    return price["interval"], int(price.get("count", 1))


def currency(*, world: World, items: list[dict]) -> str:
    """The currency that recurring entries share."""
    return world.prices[items[0]["price"]].get("currency") or world.seller["currency"]


def replaced(*, world: World, sub: Subscription, items: list[dict], since: Moment) -> list[Item]:
    """The new items; one whose price stood there before keeps since when it counts and what charged it."""
    old = {item.price: item for item in sub.items}
    found = []
    for entry in items:
        name, quantity = entry["price"], int(entry.get("quantity", 1))
        before = old.get(name)
        found.append(
            Item(
                price=name,
                quantity=quantity,
                since=before.since if before else since,
                line=before.line if before else None,
            )
        )
    return found


def one_off(*, world: World, item: dict) -> Line:
    """The line of a one-off price."""
    quantity = exact(value=item.get("quantity", 1))
    return Line(
        kind="one_off",
        price=item["price"],
        rate=world.rate(price=item["price"]),
        quantity=quantity,
        amount=rounded(cost(price=world.prices[item["price"]], quantity=quantity)),
        period=None,
    )


def licensed(*, world: World, sub: Subscription) -> list[Item]:
    """The items that are paid in advance."""
    return [item for item in sub.items if not world.metered(price=item.price)]


def full_amount(*, world: World, item: Item) -> Fraction:
    """What an item costs for a full period, exactly."""
    return cost(price=world.prices[item.price], quantity=Fraction(item.quantity))


def charge_period(*, world: World, sub: Subscription) -> list[Line]:
    """The licensed lines of the period that has just begun, a stub's in proportion."""
    part = Fraction(1)
    if sub.k == -1:
        part = times.share(t=sub.start, b=sub.full_start, e=sub.end, zone=sub.customer.zone, by_day=world.by_day)
    lines = []
    for item in licensed(world=world, sub=sub):
        item.line = Line(
            kind="recurring",
            price=item.price,
            rate=world.rate(price=item.price),
            quantity=Fraction(item.quantity),
            amount=rounded(full_amount(world=world, item=item) * part),
            period=(sub.start, sub.end),
        )
        lines.append(item.line)
    sub.charges += lines
    return lines
