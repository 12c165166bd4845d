"""Prices and coupons, as the file gives them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from billing.sandbox.scenario.faults import Faulty
from billing.sandbox.scenario.keys import Fields, Key, read_each, read_keys, read_named
from billing.sandbox.scenario.model import TierSpec
from billing.sandbox.scenario.place import Place
from billing.sandbox.scenario.scalars import (
    currency,
    decimal,
    discount_percent,
    free_text,
    money,
    one_of,
    text,
    upper_bound,
    whole,
)
from billing.validators.checks import MOST_INTERVALS
from billing.validators.price import MOST_PACKAGE, MOST_TIERS

STANDARD = "standard"
TIERED = frozenset({"graduated", "volume"})
_UNIT = one_of("day", "week", "month", "year")


def read_prices(place: Place) -> None:
    """Into the reading: the fields of each `PriceSpec`."""
    read_named(place, "prices", _read_price)


def read_coupons(place: Place) -> None:
    """Into the reading: the fields of each `CouponSpec`."""
    read_named(place, "coupons", _read_coupon)


def check_standard_rate(place: Place) -> None:
    """Note if something is taxed by the rate `standard` and the seller has rates, but none of that name."""
    rates = place.reading.named.get("tax_rates")
    if rates and STANDARD not in rates:
        place.fault(
            "unknown_tax_rate", f"the seller has no rate {STANDARD}, which is the default; name another or add it"
        )


def _read_price(place: Place) -> dict[str, Any]:
    fields = read_keys(place, _PRICE)
    _check_interval(fields)
    _check_model(fields)
    values = fields.values
    if fields.has("currency") and values["currency"] is None:
        del values["currency"]
        values.update({name: own for name, own in place.reading.seller.items() if name == "currency"})
    if "tax_rate" not in fields.given:
        check_standard_rate(place.at("tax_rate"))
        values["tax_rate"] = STANDARD
    if place.reading.named.get("tax_rates") == {}:
        values["tax_rate"] = None
    return values


def _check_interval(fields: Fields) -> None:
    if not fields.has("interval_unit") or fields.values["interval_unit"] is not None:
        return
    if "count" in fields.given:
        fields.spot("count").fault("count_without_interval", "a one-off price has no interval to count")
    if fields.values.get("usage") is not None:
        fields.spot("usage").fault(
            "usage_on_one_off", "a one-off price is licensed; give an interval or leave out usage"
        )


def _check_model(fields: Fields) -> None:
    """Tiers where the model has them, else an amount; a package size for packages, and only for them."""
    if not fields.has("model"):
        return
    model = fields.values["model"]
    wanted = {"amount": model not in TIERED, "tiers": model in TIERED, "package_size": model == "package"}
    for key, needed in wanted.items():
        if needed and key not in fields.given:
            fields.spot(key).fault("missing", f"give {key}; the model {model} needs it")
        elif not needed and key in fields.given:
            fields.spot(key).fault("not_for_model", f"the model {model} has no {key}")


def _read_coupon(place: Place) -> dict[str, Any]:
    fields = read_keys(place, _COUPON)
    if {"percent", "amount"} <= fields.given.keys():
        fields.spot("amount").fault("percent_and_amount", "give percent or amount, not both")
    elif not fields.given.keys() & {"percent", "amount"}:
        place.fault("missing", "give percent or amount")
    if fields.has("duration"):
        repeating = fields.values["duration"] == "repeating"
        if repeating and "periods" not in fields.given:
            fields.spot("periods").fault("missing", "say for how many invoices the coupon repeats")
        elif not repeating and "periods" in fields.given:
            fields.spot("periods").fault(
                "periods_without_repeating", "only a coupon with duration repeating has periods"
            )
    return fields.values


def _read_tiers(place: Place) -> tuple[TierSpec, ...]:
    """Each ends above the one before, and only the last is open. Raises `Faulty` after all is noted."""
    before = len(place.reading.faults)
    elements = place.elements()
    if not elements:
        raise place.fault("missing", "give at least one tier, the last up to inf")
    if len(elements) > MOST_TIERS:
        raise place.fault("too_many", f"give at most {MOST_TIERS} tiers")
    tiers = read_each(elements, lambda tier: read_keys(tier, _TIER))
    if len(tiers) == len(elements):
        _check_order(tiers)
    if len(place.reading.faults) > before:
        raise Faulty
    return tuple(TierSpec(**tier.values) for tier in tiers)


def _check_order(tiers: Sequence[Fields]) -> None:
    """Of the ends that are known; what else is wrong with a tier does not hide it."""
    below = Decimal(0)
    for tier in tiers[:-1]:
        if not tier.has("up_to"):
            continue
        end = tier.values["up_to"]
        if end is None:
            tier.spot("up_to").fault("inf_before_last", "only the last tier is up_to: inf")
        elif end <= below:
            tier.spot("up_to").fault("tiers_not_ascending", f"give more than {below}")
        else:
            below = end
    if tiers[-1].values.get("up_to") is not None:
        tiers[-1].spot("up_to").fault("last_tier_not_open", "the last tier is up_to: inf")


def _read_interval(place: Place) -> str | None:
    return None if place.is_null else _UNIT(place)


def _read_tax_rate(place: Place) -> str:
    """A rate of the seller's; where there are none at all, the default's name is as good as leaving it out."""
    raw = free_text(place)
    rates = place.reading.named.get("tax_rates")
    if rates is None or raw in rates or (not rates and raw == STANDARD):
        return raw
    raise place.fault("unknown_tax_rate", f"the seller has no tax rate {raw}")


_TIER = {
    "up_to": Key(upper_bound),
    "unit": Key(decimal),
    "flat": Key(decimal, default=Decimal(0)),
}
_PRICE = {
    "product": Key(text(200)),
    "amount": Key(decimal, default=None, into="unit_amount"),
    "interval": Key(_read_interval, into="interval_unit"),
    "count": Key(whole(1, MOST_INTERVALS), default=1, into="interval_count"),
    "currency": Key(currency, default=None),
    "model": Key(one_of("per_unit", "flat", "package", "graduated", "volume"), default="per_unit"),
    "tiers": Key(_read_tiers, default=()),
    "package_size": Key(whole(1, MOST_PACKAGE), default=None),
    "usage": Key(one_of("sum", "max", "last"), default=None),
    "tax_rate": Key(_read_tax_rate, default=STANDARD, null_is_read=True),
}
_COUPON = {
    "percent": Key(discount_percent, default=None),
    "amount": Key(money(1), default=None, into="amount_minor"),
    "duration": Key(one_of("once", "repeating", "forever"), default="once"),
    "periods": Key(whole(1, 10_000), default=None),
}
