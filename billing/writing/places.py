"""Days, countries, and the locale of a language in a country."""

from __future__ import annotations

from datetime import date
from functools import cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date


@cache
def locale_of(language: str, country: str) -> Locale:
    """The language as it is written in that country; where nobody says how, as it is written anywhere."""
    try:
        return Locale(language, country)
    except UnknownLocaleError:
        return Locale(language)


def day(value: date, locale: Locale) -> str:
    """A day with the month's name, which no two places read differently."""
    written: str = format_date(value, "long", locale=locale)
    return written


def short_day(value: date, locale: Locale) -> str:
    """A day in little room."""
    written: str = format_date(value, "medium", locale=locale)
    return written


def country_name(code: str, locale: Locale) -> str:
    """The country in the reader's language; one that is not known by its code."""
    return str(locale.territories.get(code, code))
