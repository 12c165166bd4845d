"""The timeline: each step by the table of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing.sandbox.scenario import steps
from billing.sandbox.scenario.faults import Faulty
from billing.sandbox.scenario.items import read_items
from billing.sandbox.scenario.keys import Fields, Key, read_keys
from billing.sandbox.scenario.place import Place
from billing.sandbox.scenario.scalars import (
    boolean,
    free_text,
    instant,
    known,
    money,
    one_of,
    payment_method,
    text,
    used,
    whole,
)

REFUSALS = (
    "refund_exceeds_paid invoice_not_found invoice_not_open subscription_canceled not_canceling already_paused "
    "not_paused not_active subscription_paused price_not_subscribed usage_in_future usage_before_start"
).split()


@dataclass(frozen=True, slots=True)
class StepFields:
    """One step as it was read. `at` is None where the time is faulty."""

    number: int
    do: str
    fields: Fields

    @property
    def at(self) -> datetime | None:
        return self.fields.values.get("at")

    def value(self, name: str) -> Any:
        """A good value, or None."""
        return self.fields.values.get(name)

    def spot(self, key: str) -> Place:
        return self.fields.spot(key)

    def built(self) -> steps.Step:
        """The step itself; only of a timeline without faults."""
        values = dict(self.fields.values)
        if self.do == "usage" and values["timestamp"] is None:
            values["timestamp"] = values["at"]
        return KINDS[self.do].type(number=self.number, do=self.do, **values)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a step becomes, and the keys that it has beside `at`, `do` and `expect_error`."""

    type: type[steps.Step]
    keys: Mapping[str, Key]


def read_timeline(place: Place) -> list[StepFields]:
    """The steps in file order. One of no known kind is there with what every step has, and the name it would give."""
    read = []
    for number, element in enumerate(place.elements(), start=1):
        with suppress(Faulty):
            read.append(_read_step(number, element))
    return read


def _read_step(number: int, place: Place) -> StepFields:
    try:
        do = _kind_of(place)
    except Faulty:
        if place.kind != "mapping":
            raise
        return StepFields(number, "", read_keys(place, _ANY_KIND, beside=_KEYS_OF_KINDS))
    return StepFields(number, do, read_keys(place, {**_COMMON, **KINDS[do].keys}, beside=("do",)))


def _kind_of(place: Place) -> str:
    given = place.find("do")
    if given is None:
        raise place.at("do").fault("missing", f"give one of {', '.join(KINDS)}")
    do = free_text(given)
    if do not in KINDS:
        raise given.fault("unknown_step", f"give one of {', '.join(KINDS)}")
    return do


def _read_expected(place: Place) -> str:
    code = free_text(place)
    if code not in REFUSALS:
        raise place.fault("unknown_error_code", f"give one of {', '.join(REFUSALS)}")
    return code


_COMMON = {"at": Key(instant), "expect_error": Key(_read_expected, default=None)}
_SUBSCRIPTION = {"subscription": Key(text())}
_CUSTOMER = {"customer": Key(known("customers", "unknown_customer"))}
_COUPON = known("coupons", "unknown_coupon")
_INVOICE = {"invoice": Key(whole(1))}
_WHEN = Key(one_of("now", "period_end"), default="now")

KINDS: dict[str, Kind] = {
    "subscribe": Kind(
        steps.Subscribe,
        {
            "as": Key(text(), into="name"),
            **_CUSTOMER,
            "items": Key(read_items),
            "trial_days": Key(whole(0, 36_500), default=None),
            "anchor": Key(instant, default=None),
            "coupon": Key(_COUPON, default=None),
            "collection": Key(one_of("automatic", "send_invoice"), default="automatic"),
            "days_until_due": Key(whole(0, 365), default=30),
        },
    ),
    "change": Kind(
        steps.Change,
        {
            **_SUBSCRIPTION,
            "items": Key(read_items),
            "when": _WHEN,
            "proration": Key(one_of("prorate", "none", "invoice_now"), default="prorate"),
        },
    ),
    "cancel": Kind(steps.Cancel, {**_SUBSCRIPTION, "when": _WHEN, "prorate": Key(boolean, default=False)}),
    "uncancel": Kind(steps.Uncancel, _SUBSCRIPTION),
    "pause": Kind(steps.Pause, _SUBSCRIPTION),
    "resume": Kind(steps.Resume, _SUBSCRIPTION),
    "usage": Kind(
        steps.Usage,
        {
            **_SUBSCRIPTION,
            "price": Key(known("prices", "unknown_price")),
            "quantity": Key(used),
            "id": Key(text()),
            "timestamp": Key(instant, default=None),
        },
    ),
    "set_payment_method": Kind(steps.SetPaymentMethod, {**_CUSTOMER, "payment_method": Key(payment_method)}),
    "apply_coupon": Kind(steps.ApplyCoupon, {**_SUBSCRIPTION, "coupon": Key(_COUPON)}),
    "charge": Kind(
        steps.Charge, {**_CUSTOMER, "amount": Key(money(), into="amount_minor"), "description": Key(text(500))}
    ),
    "grant_credit": Kind(steps.GrantCredit, {**_CUSTOMER, "amount": Key(money(), into="amount_minor")}),
    "refund": Kind(steps.RefundStep, {**_INVOICE, "amount": Key(money(1), default=None, into="amount_minor")}),
    "void": Kind(steps.VoidStep, _INVOICE),
    "mark_uncollectible": Kind(steps.MarkUncollectible, _INVOICE),
    "mark_paid": Kind(steps.MarkPaid, _INVOICE),
    "outage": Kind(steps.Outage, {"until": Key(instant)}),
}
_ANY_KIND = {**_COMMON, "as": Key(text(), default=None, into="name")}
_KEYS_OF_KINDS = ("do", *{key: None for kind in KINDS.values() for key in kind.keys if key not in _ANY_KIND})
