"""Amounts between our minor units (ISO 4217) and PayPal's decimal text, by one table.

Source: developer.paypal.com/api/rest/reference/currency-codes. Of its currencies HUF, JPY and TWD take no decimals.
"""

from __future__ import annotations

import re
from decimal import Decimal

from billing.kernel.errors import Fault, Refused
from billing.kernel.money import exponent

_TAKEN = frozenset(
    "aud brl cad cny czk dkk eur hkd huf ils jpy myr mxn twd nzd nok php pln gbp sgd sek chf thb usd".split()
)
_NO_DECIMALS = frozenset({"huf", "jpy", "twd"})
_VALUE = re.compile(r"[0-9]{1,16}(\.[0-9]{1,3})?")
MAX_PROVIDER_DIGITS = 10
"""Before the point. What one transaction may come to is PayPal's to say, by account and currency."""


def to_provider(amount_minor: int, currency: str, *, documented_only: bool = True) -> str:
    """Our minor units → PayPal's `value`: 1050 EUR-cents are "10.50". `currency` is lower-case ISO 4217.

    `documented_only` False: any currency, with all of its decimals, and number of digits; only a stand-in takes that.

    Raises `Refused`: `currency_unsupported`, `amount_not_representable` (a fraction where PayPal takes none),
    `amount_out_of_range` (negative, or more digits than PayPal takes).
    """
    digits = _digits(currency) if documented_only else exponent(currency)
    step = step_minor(currency, documented_only=documented_only)
    if amount_minor % step:
        mend = f"PayPal charges {currency.upper()} in steps of {step} of these units"
        raise Refused(Fault("amount_minor", "amount_not_representable", mend))
    amount_minor //= step
    if amount_minor < 0 or (documented_only and amount_minor >= 10 ** (MAX_PROVIDER_DIGITS + digits)):
        raise Refused(Fault("amount_minor", "amount_out_of_range", "charge a smaller, positive amount"))
    whole, fraction = divmod(amount_minor, 10**digits)
    return f"{whole}.{fraction:0{digits}d}" if digits else str(whole)


def step_minor(currency: str, *, documented_only: bool = True) -> int:
    """PayPal moves whole multiples of so many of our minor units. `documented_only`, what is raised: as above."""
    return 10 ** (exponent(currency) - _digits(currency)) if documented_only else 1


def from_provider(value: str, currency: str) -> int:
    """PayPal's `value` → our minor units; a leading minus is kept. Raises `Refused` (`amount_not_representable`)."""
    text = value.removeprefix("-")
    if not _VALUE.fullmatch(text):
        raise Refused(Fault("value", "amount_not_representable", "this is no amount of PayPal's"))
    minor = Decimal(text).scaleb(exponent(currency))
    if minor != minor.to_integral_value():
        raise Refused(Fault("value", "amount_not_representable", "it has more decimals than its currency"))
    return -int(minor) if value.startswith("-") else int(minor)


def _digits(currency: str) -> int:
    if currency not in _TAKEN:
        raise Refused(Fault("currency", "currency_unsupported", "choose a currency that PayPal documents"))
    return 0 if currency in _NO_DECIMALS else 2
