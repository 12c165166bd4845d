"""Figures: exact numbers as people read them.

Amounts are in the currency's main unit. A unit price is told exactly, with as many decimals as it has: 0.05 cents are
0.0005 EUR. An exact amount that never ends is cut off with an ellipsis.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from billing.kernel.money import exponent, plain, round_half_away

_MOST_DECIMALS = 15
_CUT_DECIMALS = 8


def exact_money(minor: Fraction, currency: str) -> str:
    """An exact amount in minor units, in the main unit: 1/20, "eur" → "0.0005 EUR"; 5/3, "jpy" → "1.66666666… JPY"."""
    digits = exponent(currency)
    value = abs(minor) / 10**digits
    places = _decimals(value)
    cut = places is None or places > _MOST_DECIMALS
    shown = _CUT_DECIMALS if cut else max(digits, places or 0)
    whole, rest = divmod(int(value * 10**shown), 10**shown)
    text = f"{whole}.{rest:0{shown}d}" if shown else str(whole)
    return f"{'-' if minor < 0 else ''}{text}{'…' if cut else ''} {currency.upper()}"


def price_of(unit: str, currency: str) -> str:
    """A unit price in the main unit, with as many decimals as it has; nothing is a bare 0."""
    exact = Fraction(unit)
    return exact_money(exact, currency) if exact else "0"


def grouped(number: str) -> str:
    """Thousands apart: "1200.5" → "1,200.5"."""
    whole, dot, rest = number.partition(".")
    return f"{int(whole):,}{dot}{rest}"


def plain_of(value: Fraction) -> str:
    """A fraction that ends, as a decimal."""
    return plain(Decimal(value.numerator) / Decimal(value.denominator))


def hundredths(value: Fraction) -> str:
    """About so much: 1641599/86400 → "19.00"."""
    whole, rest = divmod(round_half_away(value * 100), 100)
    return f"{whole:,}.{rest:02d}"


def _decimals(value: Fraction) -> int | None:
    """How many decimals the number has; null where it never ends."""
    rest, places = value.denominator, 0
    for prime in (2, 5):
        power = 0
        while rest % prime == 0:
            rest //= prime
            power += 1
        places = max(places, power)
    return places if rest == 1 else None
