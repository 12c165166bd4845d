"""Lines: what a quantity costs at a price, exactly, rounded once, with the account of how it came about."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from math import gcd

from billing.kernel.errors import Fault, Refused
from billing.kernel.money import divide_half_away

How = dict[str, int | str]
"""Integers and strings only, so that it is stored as JSON and read back without loss."""


@dataclass(frozen=True, slots=True)
class Priced:
    """An amount in minor units, and how it came about: amount = numerator ÷ denominator, rounded as `rounding` says."""

    amount_minor: int
    how: How


def per_unit(unit_amount: Decimal, quantity: int) -> Priced:
    """Price a licensed quantity: amount times quantity. `unit_amount` is in minor units and may be a fraction of one.

    Source: the scenario contract, rule 4. Raises `Refused` (`quantity_negative`).
    """
    if quantity < 0:
        raise Refused(Fault("quantity", "quantity_negative", "give a whole number from 0"))
    text, numerator, denominator = _unit(unit_amount)
    numerator *= quantity
    if denominator != 1:
        common = gcd(numerator, denominator)
        numerator //= common
        denominator //= common
    how: How = {
        "model": "per_unit",
        "unit": text,
        "quantity": str(quantity),
        "numerator": numerator,
        "denominator": denominator,
        "rounding": "half_away_from_zero",
    }
    return Priced(divide_half_away(numerator, denominator), how)


@lru_cache(maxsize=8192)
def _unit(unit_amount: Decimal) -> tuple[str, int, int]:
    """The plain text of a unit price without trailing zeros, and its exact fraction."""
    numerator, denominator = unit_amount.as_integer_ratio()
    text = f"{unit_amount:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text, numerator, denominator
