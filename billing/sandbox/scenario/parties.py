"""The seller and the customers, as the file gives them."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

from billing.sandbox.scenario.faults import Faulty
from billing.sandbox.scenario.keys import Key, read_keys, read_list, read_named, read_whole
from billing.sandbox.scenario.model import TaxRateSpec
from billing.sandbox.scenario.place import Place
from billing.sandbox.scenario.scalars import (
    boolean,
    check_country,
    country,
    currency,
    delay,
    one_of,
    payment_method,
    tax_percent,
    text,
    timezone,
)

_RETRIES = (timedelta(days=3), timedelta(days=5), timedelta(days=7))
_FINAL = "cancel"


def read_seller(place: Place) -> None:
    """Into the reading: the fields of a `SellerSpec`, and the names of its tax rates."""
    fields = read_keys(place, _SELLER)
    fields.values.update(fields.values.pop("dunning", {}))
    if "tax_rates" not in fields.given:
        place.reading.named["tax_rates"] = {}
    place.reading.seller = fields.values


def read_customers(place: Place) -> None:
    """Into the reading: the fields of each `CustomerSpec`."""
    read_named(place, "customers", _read_customer)


def _read_customer(place: Place) -> dict[str, Any]:
    values = read_keys(place, _CUSTOMER).values
    for name in ("country", "timezone"):
        if name in values and values[name] is None:
            del values[name]
            if name in place.reading.seller:
                values[name] = place.reading.seller[name]
    return values


def _read_tax_rates(place: Place) -> dict[str, TaxRateSpec]:
    named = read_named(place, "tax_rates", lambda entry: read_whole(entry, _TAX_RATE).values)
    return {name: TaxRateSpec(**rate) for name, rate in named.items() if rate}


def _read_countries(place: Place) -> dict[str, Decimal]:
    percents = {}
    for code, child in place.entries():
        with suppress(Faulty):
            check_country(child, code)
        with suppress(Faulty):
            percents[code] = tax_percent(child)
    return percents


def _read_retries(place: Place) -> tuple[timedelta, ...]:
    return tuple(read_list(place, delay))


_TAX_RATE = {
    "percent": Key(tax_percent),
    "inclusive": Key(boolean, default=False),
    "countries": Key(_read_countries, default={}),
}
_DUNNING = {
    "retries": Key(_read_retries, default=_RETRIES),
    "final": Key(one_of("cancel", "unpaid", "keep"), default=_FINAL),
}
_SELLER = {
    "country": Key(country),
    "currency": Key(currency),
    "timezone": Key(timezone, default="UTC"),
    "tax_rates": Key(_read_tax_rates, default={}),
    "proration": Key(one_of("second", "day"), default="second"),
    "catch_up": Key(one_of("bill_each", "merge", "skip"), default="bill_each"),
    "dunning": Key(lambda place: read_whole(place, _DUNNING).values, default={"retries": _RETRIES, "final": _FINAL}),
}
_CUSTOMER = {
    "country": Key(country, default=None),
    "timezone": Key(timezone, default=None),
    "tax_id": Key(text(), default=None),
    "payment_method": Key(payment_method, default=None),
}
