"""Figures: amounts as they are read, exact ones with as many places as they need."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.kernel.money import format_minor
from billing.rules.figures import exact_money


@pytest.mark.parametrize(
    ("minor", "currency", "said"),
    [
        (Fraction(1, 20), "eur", "0.0005 EUR"),
        (Fraction(-19, 1), "eur", "-0.19 EUR"),
        (Fraction(5, 3), "jpy", "1.66666666… JPY"),
        (Fraction(1, 2), "jpy", "0.5 JPY"),
        (Fraction(1, 2), "kwd", "0.0005 KWD"),
        (Fraction(1, 10**13), "eur", "0.000000000000001 EUR"),
        (Fraction(1, 10**14), "eur", "0.00000000… EUR"),
    ],
)
def test_exact_amounts(minor: Fraction, currency: str, said: str) -> None:
    assert exact_money(minor, currency) == said


@given(st.integers(-(10**12), 10**12), st.sampled_from(["eur", "jpy", "kwd"]))
def test_whole_minor_units_read_as_everywhere_else(minor: int, currency: str) -> None:
    assert exact_money(Fraction(minor), currency) == format_minor(minor, currency)


@given(st.fractions(max_denominator=10**6), st.sampled_from(["eur", "jpy", "kwd"]))
def test_what_is_told_of_an_exact_amount_is_never_more_than_it(minor: Fraction, currency: str) -> None:
    text = exact_money(minor, currency).split()[0]
    main = abs(minor) / 10 ** {"eur": 2, "jpy": 0, "kwd": 3}[currency]
    told = abs(Fraction(text.rstrip("…")))
    assert told <= main < told + Fraction(1, 10**8) if text.endswith("…") else told == main
