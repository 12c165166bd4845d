"""What the steps must be to one another: names before their use, moments after others, one currency throughout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from billing.kernel.clock import format_instant
from billing.kernel.errors import Refused
from billing.kernel.period import boundary
from billing.sandbox.scenario.catalog import check_standard_rate
from billing.sandbox.scenario.items import rhythm_of
from billing.sandbox.scenario.timeline import StepFields

Subscribed: TypeAlias = Mapping[str, StepFields]
"""The subscribing step by the name that it gives."""


def check_story(steps: Sequence[StepFields]) -> None:
    """Note what is wrong between the steps. What hangs on a faulty value is not looked at."""
    subscribed: dict[str, StepFields] = {}
    for step in steps:
        if (name := step.value("name")) is not None:
            if name in subscribed:
                step.spot("as").fault("subscription_twice", f"step {subscribed[name].number} has this name already")
            subscribed.setdefault(name, step)
    for step in steps:
        _check_subscribed(step, subscribed)
        if step.do in _CHECKS:
            _CHECKS[step.do](step, subscribed)


def _check_subscribed(step: StepFields, subscribed: Subscribed) -> None:
    """The name exists, and from an earlier moment, or the same and an earlier line."""
    if (name := step.value("subscription")) is None:
        return
    spot = step.spot("subscription")
    if name not in subscribed:
        spot.fault("unknown_subscription", f"no step subscribes as {name}")
        return
    first = subscribed[name]
    if step.at and first.at and (step.at, step.number) < (first.at, first.number):
        spot.fault("not_yet_subscribed", f"{name} is subscribed at {format_instant(first.at)}, by step {first.number}")


def _check_subscribe(step: StepFields, _: Subscribed) -> None:
    if {"anchor", "trial_days"} <= step.fields.given.keys():
        step.spot("trial_days").fault("trial_with_anchor", "give a trial or an anchor; a trial's end is the anchor")
    anchor, at = step.value("anchor"), step.at
    if anchor is None or at is None:
        return
    if anchor <= at:
        step.spot("anchor").fault("anchor_not_later", "give a moment after the start, or leave the anchor out")
        return
    spot = step.spot("anchor")
    interval = rhythm_of(step.spot("items")).interval
    zone = spot.reading.named.get("customers", {}).get(step.value("customer") or "", {}).get("timezone")
    if interval is None or zone is None:
        return
    try:
        earliest = boundary(anchor, zone, interval, -1)
    except (ValueError, OverflowError, Refused):
        spot.fault("out_of_range", "give a moment within the years of the calendar")
        return
    if earliest > at:
        spot.fault(
            "anchor_too_late",
            f"at most one full period ahead, and that of this anchor begins at {format_instant(earliest)}",
        )


def _check_change(step: StepFields, subscribed: Subscribed) -> None:
    first = subscribed.get(step.value("subscription") or "")
    if first is None:
        return
    before, after = rhythm_of(first.spot("items")).currency, rhythm_of(step.spot("items")).currency
    if before and after and before != after:
        step.spot("items").fault("currency_changed", f"the subscription is in {before}; cancel it and subscribe anew")


def _check_charge(step: StepFields, _: Subscribed) -> None:
    """A charge bears the rate `standard`."""
    check_standard_rate(step.fields.place)


def _check_outage(step: StepFields, _: Subscribed) -> None:
    until = step.value("until")
    if until is not None and step.at is not None and until <= step.at:
        step.spot("until").fault("until_not_later", "an outage ends after it begins")


_CHECKS: dict[str, Callable[[StepFields, Subscribed], None]] = {
    "subscribe": _check_subscribe,
    "change": _check_change,
    "charge": _check_charge,
    "outage": _check_outage,
}
