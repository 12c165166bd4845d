"""Amounts and numbers as people of a place write them."""

from __future__ import annotations

import re
from decimal import Decimal, localcontext

from babel import Locale
from babel.numbers import format_decimal, parse_pattern

from billing.kernel.money import decimal_minor, exponent, plain

_GLUED = re.compile(r"(?<=[^\W\d_])(?=\d)")
_MOST_DIGITS = 12
_MOST_OF_A_NUMBER = 100
"""Digits. A quantity is a sum, and may have more than the 28 that are usual."""


def money(minor: int, currency: str, locale: Locale) -> str:
    """An amount as people of that place write it, with ISO's digits: CLDR's differ for some currencies."""
    digits = exponent(currency)
    return _written(Decimal(decimal_minor(minor, currency)), currency, locale, digits, digits)


def unit_price(minor: Decimal, currency: str, locale: Locale) -> str:
    """A price of one, in minor units or parts of them: with as many digits as it needs, and no fewer than usual."""
    digits = exponent(currency)
    return _written(minor.scaleb(-digits), currency, locale, digits, _MOST_DIGITS)


def number(value: Decimal, locale: Locale) -> str:
    """A quantity or a percent with all its digits."""
    digits = len(plain(value).partition(".")[2])
    with localcontext(prec=_MOST_OF_A_NUMBER):
        return format_decimal(value, format=f"#,##0.{'#' * digits}" if digits else "#,##0", locale=locale)


def _written(amount: Decimal, currency: str, locale: Locale, least: int, most: int) -> str:
    pattern = parse_pattern(locale.currency_formats["standard"].pattern)
    pattern.frac_prec = (least, most)
    written: str = pattern.apply(amount, locale, currency=currency.upper(), currency_digits=False)
    # CLDR puts a space between letters and digits; Babel leaves it out.
    return _GLUED.sub("\u00a0", written)
