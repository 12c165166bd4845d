"""The items of a subscription: each price once, one rhythm, one currency, at least one of them recurring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from yaml.nodes import SequenceNode

from billing.kernel.errors import Refused
from billing.kernel.money import MOST_AMOUNT
from billing.kernel.period import Interval, IntervalUnit
from billing.rules.lines import PriceModel, PriceTerms, Tier, priced
from billing.sandbox.scenario.faults import Faulty
from billing.sandbox.scenario.keys import Fields, Key, read_each, read_keys
from billing.sandbox.scenario.place import Place
from billing.sandbox.scenario.scalars import known, whole
from billing.sandbox.scenario.steps import ItemSpec
from billing.validators.subscription import MOST_ITEMS, MOST_QUANTITY


@dataclass(frozen=True, slots=True)
class ItemFields:
    """One item: its keys, and what is known of its price (nothing, where the price is faulty)."""

    fields: Fields
    price: dict[str, Any]

    @property
    def code(self) -> str | None:
        return self.fields.values.get("price")

    @property
    def one_off(self) -> bool:
        return self.price.get("interval_unit", "unknown") is None

    @property
    def interval(self) -> Interval | None:
        """None: one-off, or not known."""
        if self.price.get("interval_unit") is None or "interval_count" not in self.price:
            return None
        return Interval(IntervalUnit(self.price["interval_unit"]), self.price["interval_count"])

    @property
    def currency(self) -> str | None:
        return self.price.get("currency")

    @property
    def metered(self) -> bool:
        return self.price.get("usage") is not None

    @property
    def terms(self) -> PriceTerms | None:
        """What decides its amount; None where that is not known."""
        try:
            return PriceTerms(
                model=PriceModel(self.price["model"]),
                unit_amount=self.price["unit_amount"],
                tiers=tuple(Tier(each.up_to, each.unit, each.flat) for each in self.price["tiers"]),
                package_size=self.price["package_size"],
            )
        except (KeyError, ValueError):  # a fault of the price, told there
            return None


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What the items of one list have in common; None where it is not known."""

    interval: Interval | None
    currency: str | None


def read_items(place: Place) -> tuple[ItemSpec, ...]:
    """A complete list. Raises `Faulty` where anything is wrong with it, after all is noted."""
    before = len(place.reading.faults)
    elements = place.elements()
    if len(elements) > MOST_ITEMS:
        raise place.fault("too_many", f"give at most {MOST_ITEMS} items")
    prices = place.reading.named.get("prices", {})
    items = [
        ItemFields(fields, prices.get(fields.values.get("price", ""), {}))
        for fields in read_each(elements, lambda element: read_keys(element, _ITEM))
    ]
    _check_each(items, place)
    if len(items) == len(elements) and all(item.one_off for item in items):
        place.fault("no_recurring_item", "give at least one recurring price")
    _check_same(items, lambda item: item.interval, "intervals_differ", "recurring items share interval and count with")
    _check_same(items, lambda item: item.currency, "currencies_differ", "one subscription has one currency, that of")
    if len(place.reading.faults) > before:
        raise Faulty
    return tuple(
        ItemSpec(price=item.fields.values["price"], quantity=None if item.metered else item.fields.values["quantity"])
        for item in items
    )


def rhythm_of(place: Place) -> Rhythm:
    """What the prices that a list names have in common, whatever else is wrong with it."""
    prices = place.reading.named.get("prices", {})
    items = [ItemFields(Fields(place), prices.get(name, {})) for name in _named(place)]
    intervals = {item.interval for item in items} - {None}
    currencies = {item.currency for item in items} - {None}
    return Rhythm(
        interval=intervals.pop() if len(intervals) == 1 else None,
        currency=currencies.pop() if len(currencies) == 1 else None,
    )


def _named(place: Place) -> list[str]:
    if not isinstance(place.node, SequenceNode):
        return []
    entries = [element for element in place.elements() if element.kind == "mapping"]
    return [price.raw for entry in entries if (price := entry.find("price")) is not None]


def _check_each(items: Sequence[ItemFields], place: Place) -> None:
    seen, sum_minor = set(), 0
    for item in items:
        if item.code is not None and item.code in seen:
            item.fields.spot("price").fault("price_twice", "name each price once and give its quantity")
        seen.add(item.code)
        if item.metered and "quantity" in item.fields.given:
            item.fields.spot("quantity").fault("quantity_on_metered", "leave it out; usage counts a metered price")
        elif not item.metered and item.fields.has("quantity"):
            sum_minor += _amount(item)
    if sum_minor > MOST_AMOUNT:
        place.fault("amount_too_large", f"a period costs less than 10^15 minor units in all, and this one {sum_minor}")


def _amount(item: ItemFields) -> int:
    """What it costs a period; 0 where that is not known, or more than a line holds, which is noted."""
    terms = item.terms
    if terms is None:
        return 0
    try:
        return priced(terms, Decimal(item.fields.values["quantity"])).amount_minor
    except Refused as refused:
        item.fields.spot("quantity").fault(refused.code, refused.faults[0].mend)
        return 0


def _check_same(items: Sequence[ItemFields], of: Callable[[ItemFields], object], code: str, message: str) -> None:
    first = None
    for item in items:
        if (own := of(item)) is None:
            continue
        if first is None:
            first = item
        elif own != of(first):
            item.fields.spot("price").fault(code, f"{message} {first.code}")


_ITEM = {
    "price": Key(known("prices", "unknown_price")),
    "quantity": Key(whole(1, MOST_QUANTITY), default=1),
}
