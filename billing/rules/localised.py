"""Amounts and days as customers read them, in the languages of our pages and mails. No locale of the machine is asked.

The forms follow CLDR for en, de, fr and es; the digits are those of our own currency table, not CLDR's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

from billing.kernel.money import exponent

LANGUAGES: Final = ("en", "de", "fr", "es")
"""The first is the one for everybody else."""

_NO_BREAK = "\u00a0"
_NARROW = "\u202f"
_POINTS: Final[Mapping[str, tuple[str, str]]] = {
    "en": (",", "."),
    "de": (".", ","),
    "fr": (_NARROW, ","),
    "es": (".", ","),
}
"""Between thousands, before fractions."""
_FEWEST_GROUPED: Final[Mapping[str, int]] = {"es": 5}
"""Spanish leaves four digits ungrouped."""
_SIGNS: Final[Mapping[str, str]] = {"eur": "€", "gbp": "£", "usd": "$", "jpy": "¥"}
"""Signs that no other currency is likely to be taken for; all others are written by their codes."""
_MONTHS: Final[Mapping[str, str]] = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
}
_DAYS: Final[Mapping[str, str]] = {
    "en": "{day} {month} {year}",
    "de": "{day}. {month} {year}",
    "fr": "{day} {month} {year}",
    "es": "{day} de {month} de {year}",
}


def amount_text(amount_minor: int, currency: str, language: str) -> str:
    """`1234` eur as `€12.34` or `12,34 €`; a negative one with a minus before it. Never broken over lines."""
    digits = exponent(currency)
    whole, fraction = divmod(abs(amount_minor), 10**digits)
    between, before = _POINTS[language]
    grouped = f"{whole:,}".replace(",", between) if len(str(whole)) >= _FEWEST_GROUPED.get(language, 4) else str(whole)
    number = f"{grouped}{before}{fraction:0{digits}d}" if digits else grouped
    sign = _SIGNS.get(currency)
    minus = "-" if amount_minor < 0 else ""
    if language != "en":
        return f"{minus}{number}{_NO_BREAK}{sign or currency.upper()}"
    return f"{minus}{sign}{number}" if sign else f"{minus}{currency.upper()}{_NO_BREAK}{number}"


def day_text(day: date, language: str) -> str:
    """`1 March 2026`, `1. März 2026`, `1er mars 2026`, `1 de marzo de 2026`."""
    first = "1er" if language == "fr" and day.day == 1 else str(day.day)
    month = _MONTHS[language].split()[day.month - 1]
    return _DAYS[language].format(day=first, month=month, year=day.year)
