"""Amounts and days as customers read them."""

from __future__ import annotations

from datetime import date

import pytest

from billing.rules.localised import amount_text, day_text


@pytest.mark.parametrize(
    ("amount_minor", "currency", "language", "text"),
    [
        (1234, "eur", "en", "€12.34"),
        (1234, "eur", "de", "12,34\u00a0€"),
        (123456789, "eur", "de", "1.234.567,89\u00a0€"),
        (123456789, "eur", "fr", "1\u202f234\u202f567,89\u00a0€"),
        (123456, "eur", "es", "1234,56\u00a0€"),
        (1234567, "eur", "es", "12.345,67\u00a0€"),
        (1234, "jpy", "en", "¥1,234"),
        (1234, "kwd", "en", "KWD\u00a01.234"),
        (1234, "chf", "de", "12,34\u00a0CHF"),
        (-5, "eur", "de", "-0,05\u00a0€"),
        (0, "usd", "en", "$0.00"),
    ],
)
def test_an_amount_is_written_as_the_language_writes_it(
    amount_minor: int, currency: str, language: str, text: str
) -> None:
    assert amount_text(amount_minor, currency, language) == text


@pytest.mark.parametrize(
    ("language", "text"),
    [("en", "1 March 2026"), ("de", "1. März 2026"), ("fr", "1er mars 2026"), ("es", "1 de marzo de 2026")],
)
def test_a_day_is_written_as_the_language_writes_it(language: str, text: str) -> None:
    assert day_text(date(2026, 3, 1), language) == text
