"""Single values: each reader takes a place and answers the value in its final type, or notes the fault (`Faulty`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeAlias, TypeVar

from billing.kernel.clock import parse_instant
from billing.kernel.errors import Refused
from billing.kernel.money import MOST_AMOUNT
from billing.sandbox.scenario.faults import Faulty
from billing.sandbox.scenario.place import Place, is_name, is_plain_whole
from billing.validators.checks import MOST_DECIMALS, Checks
from billing.validators.usage import check_quantity

Text: TypeAlias = Callable[[Place], str]
Value = TypeVar("Value")

_DECIMAL = re.compile(r"-?\d{1,40}(\.\d{1,40})?", re.ASCII)
_DELAY = re.compile(r"([1-9]\d{0,3})([dh])", re.ASCII)
_UNITS = {"d": timedelta(hours=24), "h": timedelta(hours=1)}
_METHODS = (
    "visa declined insufficient_funds lost_card expired_card authentication_required "
    "processing_error timeout_after_charge timeout_before_charge paypal"
).split()
_YEARS = range(1000, 8000)
"""So that a period, a trial and a retry beyond a moment of the file end within the calendar, in every zone."""


def free_text(place: Place) -> str:
    """Text for people, of any length and as many lines as it takes."""
    if not is_name(place):
        raise place.wrong_type("a text", quoted=True)
    return place.raw


def text(most: int = 100) -> Text:
    """One line of text that shows what it is."""

    def read(place: Place) -> str:
        raw = free_text(place)
        return _checked(place, raw, lambda checks, field: checks.text(field, raw, most=most))

    return read


def check_name(place: Place, name: str) -> None:
    """Note what is wrong with a key that is a name of the file's own choice."""
    with suppress(Faulty):
        _checked(place, name, lambda checks, field: checks.text(field, name, most=100))


def check_country(place: Place, code: str) -> str:
    """The code itself, if it is an assigned ISO 3166 code in upper case."""
    return _checked(place, code, lambda checks, field: checks.country(field, code))


def one_of(*allowed: str) -> Text:
    """One of the named values."""

    def read(place: Place) -> str:
        raw = free_text(place)
        return _checked(place, raw, lambda checks, field: checks.one_of(field, raw, allowed))

    return read


def known(section: str, code: str) -> Text:
    """A name that the section of the file defines."""

    def read(place: Place) -> str:
        raw = free_text(place)
        names = place.reading.named.get(section)
        if names is not None and raw not in names:
            raise place.fault(code, f"{section} has no {raw}")
        return raw

    return read


def country(place: Place) -> str:
    """An upper-case ISO 3166 code."""
    return check_country(place, free_text(place))


def currency(place: Place) -> str:
    """A lower-case ISO 4217 code."""
    raw = free_text(place)
    return _checked(place, raw, lambda checks, field: checks.currency(field, raw))


def timezone(place: Place) -> str:
    """An IANA zone."""
    raw = free_text(place)
    return _checked(place, raw, lambda checks, field: checks.timezone(field, raw))


def payment_method(place: Place) -> str | None:
    """A method of the stand-in, or none."""
    if place.is_null:
        return None
    raw = free_text(place)
    if raw not in _METHODS:
        raise place.fault("unknown_payment_method", f"give one of {', '.join(_METHODS)}, or null")
    return raw


def instant(place: Place) -> datetime:
    """ISO 8601 with an offset, or a bare date, read from the text as written (YAML's own reading drops the offset)."""
    if place.kind not in {"str", "timestamp"}:
        raise place.wrong_type("a time in ISO 8601 with an offset, or a bare date")
    try:
        read = parse_instant(place.raw)
    except Refused as refusal:
        raise place.fault(refusal.code, refusal.faults[0].mend) from refusal
    if read.year not in _YEARS:
        raise place.fault("out_of_range", f"give a moment of the years {_YEARS.start} to {_YEARS.stop - 1}")
    return read


def boolean(place: Place) -> bool:
    """True or false, without quotes."""
    if place.kind != "bool":
        raise place.fault("wrong_type", "give true or false, without quotes")
    return place.raw.lower() in {"true", "yes", "on"}


def whole(least: int, most: int = MOST_AMOUNT) -> Callable[[Place], int]:
    """A whole number within bounds."""

    def read(place: Place) -> int:
        if place.kind != "int":
            raise place.wrong_type("a whole number, without quotes")
        number = _whole(place)
        if number < 0:
            raise place.fault("negative", f"give a whole number from {least}")
        if not least <= number <= most:
            raise place.fault("out_of_range", f"give a whole number from {least} to {most}")
        return number

    return read


def money(least: int = 0) -> Callable[[Place], int]:
    """An amount in whole minor units; quotes do no harm."""
    bounded = whole(least)

    def read(place: Place) -> int:
        if place.kind != "str":
            return bounded(place)
        if not is_plain_whole(place.raw):
            raise place.fault("not_a_number", "give a whole number of minor units")
        if not least <= (number := _whole(place)) <= MOST_AMOUNT:
            raise place.fault("negative" if number < 0 else "out_of_range", f"give {least} or more minor units")
        return number

    return read


def decimal(place: Place) -> Decimal:
    """An exact number from 0: a whole number, or a decimal in quotes."""
    number = _decimal(place)
    return _checked(place, number, lambda checks, field: checks.unit_amount(field, number))


def used(place: Place) -> Decimal:
    """A quantity of usage."""
    number = _decimal(place)
    if number < 0:
        raise place.fault("negative", "give 0 or more")
    return _checked(place, number, lambda checks, field: check_quantity(checks, field, number))


def tax_percent(place: Place) -> Decimal:
    """A percent from 0 to under 100."""
    number = _decimal(place)
    return _checked(place, number, lambda checks, field: checks.percent(field, number))


def discount_percent(place: Place) -> Decimal:
    """A percent above 0, up to 100."""
    number = _decimal(place)
    if not 0 < number <= 100:
        raise place.fault("percent_range", "give a percent above 0, at most 100")
    return decimal(place)


def upper_bound(place: Place) -> Decimal | None:
    """A tier's inclusive end, above 0; None for `inf`."""
    if place.kind == "str" and place.raw == "inf":
        return None
    if place.kind == "float" and "inf" in place.raw.lower():
        raise place.fault("float_not_allowed", "write inf, without a dot")
    bound = decimal(place)
    if bound == 0:
        raise place.fault("tiers_not_ascending", "a tier ends above 0")
    return bound


def delay(place: Place) -> timedelta:
    """`3d` (3 × 24 hours) or `12h`."""
    wanted = "days or hours, such as 3d or 12h"
    if not is_name(place):
        raise place.wrong_type(wanted)
    if not (match := _DELAY.fullmatch(place.raw)):
        raise place.fault("not_a_delay", f"give {wanted}")
    return int(match[1]) * _UNITS[match[2]]


def _whole(place: Place) -> int:
    if not is_plain_whole(place.raw) or len(place.raw) > 40:
        raise place.fault("not_a_number", "give a whole number in plain digits")
    return int(place.raw)


def _decimal(place: Place) -> Decimal:
    if place.kind == "int":
        return Decimal(_whole(place))
    if place.kind != "str":
        raise place.wrong_type("a whole number, or a decimal number in quotes", quoted=True)
    if not _DECIMAL.fullmatch(place.raw):
        raise place.fault("not_a_number", f"give a decimal number such as 0.05, at most {MOST_DECIMALS} decimal places")
    return Decimal(place.raw)


def _checked(place: Place, value: Value, check: Callable[[Checks, str], None]) -> Value:
    """`value`, if the engine's own check finds no fault; else its faults stand here."""
    checks = Checks()
    check(checks, place.path)
    faulty = [place.fault(fault.code, fault.mend) for fault in checks.faults]
    if faulty:
        raise faulty[0]
    return value
