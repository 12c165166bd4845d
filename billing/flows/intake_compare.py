"""Comparing what a file says with what is there, field by field; only names of fields are told, never values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar

from billing.flows.intake_input import Given, LineFault, NewCustomer
from billing.queries.intake import KnownCustomer
from billing.validators.payment_method import is_exchanged
from billing.validators.price import NewPrice
from billing.validators.subscription import NewSubscription

T = TypeVar("T")


def differing(given: Given[T], one: T, other: T, code: str, mend: str) -> list[LineFault]:
    """A fault of `given` for each field in which the two are not the same."""
    names = [_FILE_NAMES.get(name, name) for name in _differences(one, other)]
    return [given.fault(name, code, mend) for name in names]


_FILE_NAMES = {
    "product_code": "product",
    "coupon_code": "coupon",
    "amount_minor": "amount",
    "interval_unit": "interval",
    "account_id": "customer",
    "customer_ref": "provider_customer_id",
    "method_ref": "provider_payment_method_id",
    "consent.given_at": "consent_at",
    "consent": "consent_at",
}
_FLAT = frozenset({"profile", "personal", "policy"})
"""Inputs within inputs whose fields a file gives without a prefix."""


def _differences(one: object, other: object, inside: str = "") -> list[str]:
    """Dotted names of the fields in which two inputs differ. Never the values: they may be personal."""
    if one == other:
        return []
    if not is_dataclass(one) or not is_dataclass(other):
        return [inside]
    return [
        name
        for each in fields(one)
        for name in _differences(getattr(one, each.name), getattr(other, each.name), _within(inside, each.name))
    ]


def _within(outer: str, name: str) -> str:
    return name if not outer or outer in _FLAT else f"{outer}.{name}"


def comparable(new: Given[NewCustomer], _there: NewCustomer) -> NewCustomer:
    """The given one, without the provider's side of it, of which there may be several by now."""
    return NewCustomer(new.value.profile)


def as_stored(
    given: Given[NewSubscription], there: NewSubscription, prices: Mapping[tuple[str, str], NewPrice]
) -> NewSubscription:
    """The given one as its rows say it: what is charged once is no item of it, and no quantity is 1 where one is."""
    counted = {item.price_code for item in there.items if item.quantity is not None}
    items = []
    for item in given.value.items:
        price = prices.get((given.seller, item.price_code))
        if price is None or price.interval_unit is not None:
            one = item.quantity is None and item.price_code in counted
            items.append(replace(item, quantity=1) if one else item)
    return replace(
        given.value,
        items=tuple(items),
        timezone=given.value.timezone or there.timezone,
        trial_days=given.value.trial_days or None,
    )


def knows_method(new: NewCustomer, there: KnownCustomer) -> bool:
    """An id that the provider exchanges is known as it was given; where that was not kept, by its consent alone."""
    if new.method_ref is None or new.method_ref in there.method_refs:
        return True
    if new.consent is None or not is_exchanged(new.method_ref):
        return False
    at = new.consent.given_at
    return not there.given_refs.isdisjoint({(at, new.method_ref), (at, None)})
