"""Scenario files: text in, a `Scenario` out, or every fault with its path and line. Source: the scenario contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from billing.sandbox.scenario.catalog import read_coupons, read_prices
from billing.sandbox.scenario.faults import Faulty, ScenarioFault, ScenarioInvalid
from billing.sandbox.scenario.keys import Key, read_keys
from billing.sandbox.scenario.model import CouponSpec, CustomerSpec, PriceSpec, Scenario, SellerSpec
from billing.sandbox.scenario.parties import read_customers, read_seller
from billing.sandbox.scenario.place import Place, Reading, compose
from billing.sandbox.scenario.scalars import free_text, instant, whole
from billing.sandbox.scenario.story import check_story
from billing.sandbox.scenario.timeline import StepFields, read_timeline

__all__ = ["ScenarioFault", "ScenarioInvalid", "read_scenario"]


def read_scenario(text: str, *, name: str, until: datetime | None = None) -> Scenario:
    """The scenario that `text` tells; `name` is the file's, for messages. `until` (aware) stands in for the file's own.

    Steps later than `until` are checked, and left out. Raises `ScenarioInvalid` with every fault.
    """
    reading = Reading()
    try:
        top, steps = _read(compose(text, reading))
    except Faulty:
        raise ScenarioInvalid(reading.faults, name=name) from None
    if reading.faults:
        raise ScenarioInvalid(reading.faults, name=name)
    end = until or top["until"]
    played = sorted((step.built() for step in steps), key=lambda step: step.at)
    return Scenario(
        about=top["about"],
        seller=SellerSpec(**reading.seller),
        prices={code: PriceSpec(code=code, **price) for code, price in reading.named["prices"].items()},
        coupons={code: CouponSpec(code=code, **coupon) for code, coupon in reading.named["coupons"].items()},
        customers={code: CustomerSpec(code=code, **customer) for code, customer in reading.named["customers"].items()},
        steps=tuple(step for step in played if step.at <= end),
        until=end,
    )


def _read(whole_file: Place) -> tuple[dict[str, Any], list[StepFields]]:
    """The sections in the order in which they name one another, wherever they stand in the file."""
    fields = read_keys(whole_file, _TOP)
    steps: list[StepFields] = []
    for key, read in _SECTIONS.items():
        if key in fields.given:
            with suppress(Faulty):
                read(fields.given[key])
        elif key in fields.values:
            whole_file.reading.named[key] = {}
    if "timeline" in fields.given and not fields.given["timeline"].is_null:
        with suppress(Faulty):
            steps = read_timeline(fields.given["timeline"])
    check_story(steps)
    return fields.values, steps


def _read_version(place: Place) -> int:
    """The version of the format. There is one."""
    version = whole(0)(place)
    if version != _VERSION:
        raise place.fault("unknown_version", f"give scenario: {_VERSION}; this player knows no other")
    return version


def _as_it_stands(place: Place) -> Place:
    """A section, which is read once those that it names are."""
    return place


_VERSION = 1
_SECTION = Key(_as_it_stands)
_TOP = {
    "scenario": Key(_read_version),
    "about": Key(free_text, default=""),
    "seller": _SECTION,
    "prices": _SECTION,
    "coupons": Key(_as_it_stands, default=None),
    "customers": _SECTION,
    "timeline": _SECTION,
    "until": Key(instant),
}
_SECTIONS: Mapping[str, Callable[[Place], None]] = {
    "seller": read_seller,
    "prices": read_prices,
    "coupons": read_coupons,
    "customers": read_customers,
}
