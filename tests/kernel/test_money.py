"""Money: exponents as ISO has them, one rounding rule, and shares that always add up."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import iso4217
import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.kernel.errors import Refused
from billing.kernel.money import (
    EXPONENTS,
    divide_half_away,
    exponent,
    format_minor,
    round_half_away,
    share,
)

AMOUNTS = st.integers(-(10**15), 10**15)


def test_the_table_of_exponents_is_the_librarys() -> None:
    library = {one.code.lower(): one.exponent for one in iso4217.Currency if one.exponent in (0, 2, 3)}
    assert library == EXPONENTS


@pytest.mark.parametrize(("code", "digits"), [("eur", 2), ("jpy", 0), ("kwd", 3), ("mga", 2), ("isk", 0)])
def test_exponents_are_isos_and_not_the_ones_of_a_provider_or_a_locale(code: str, digits: int) -> None:
    assert exponent(code) == digits


@pytest.mark.parametrize("code", ["xau", "xts", "clf", "zzz", "", "EUR", "€"])
def test_a_code_without_a_usable_exponent_is_refused(code: str) -> None:
    with pytest.raises(Refused) as caught:
        exponent(code)
    assert caught.value.code == "unknown_currency"


@pytest.mark.parametrize(
    ("numerator", "denominator", "expected"),
    [
        (5, 2, 3),
        (-5, 2, -3),
        (5, -2, -3),
        (-5, -2, 3),
        (1, 3, 0),
        (2, 3, 1),
        (-2, 3, -1),
        (7, 1, 7),
        (0, 9, 0),
        # Cents of published prorations: 20 of 30 days, 15 of 31.
        (1000 * 20, 30, 667),
        (2000 * 20, 30, 1333),
        (999 * 15, 31, 483),
    ],
)
def test_halves_are_rounded_away_from_zero(numerator: int, denominator: int, expected: int) -> None:
    assert divide_half_away(numerator, denominator) == expected
    assert round_half_away(Fraction(numerator, denominator)) == expected


def test_dividing_by_nothing_is_an_error() -> None:
    with pytest.raises(ZeroDivisionError):
        divide_half_away(1, 0)


@given(AMOUNTS, st.sampled_from([1, 2, 4, 5, 8, 10, 16, 20, 1000]), st.sampled_from([1, -1]))
def test_rounding_agrees_with_decimals_half_up_on_magnitude(numerator: int, denominator: int, sign: int) -> None:
    exact = Decimal(numerator) / Decimal(denominator * sign)
    expected = int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))
    assert divide_half_away(numerator, denominator * sign) == expected


@given(AMOUNTS, st.integers(1, 10**9))
def test_rounding_is_symmetric_and_at_most_half_away(numerator: int, denominator: int) -> None:
    rounded = divide_half_away(numerator, denominator)
    assert divide_half_away(-numerator, denominator) == -rounded
    assert abs(Fraction(numerator, denominator) - rounded) <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (500, [1000, 2000], [167, 333]),
        (1, [1, 1], [0, 1]),
        (2, [1, 1, 1], [0, 1, 1]),
        (100, [1, 1, 1], [33, 33, 34]),
        (-1, [1, 1], [0, -1]),
        (10, [0, 5, 0], [0, 10, 0]),
        (50, [300, -100], [75, -25]),
        (0, [0, 0], [0, 0]),
        (0, [], []),
        (7, [3], [7]),
        (-7, [-3, -3], [-3, -4]),
    ],
)
def test_an_amount_is_shared_by_largest_remainder_with_ties_to_the_later(
    total: int, weights: list[int], parts: list[int]
) -> None:
    assert share(total, weights) == parts


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1]])
def test_an_amount_cannot_be_shared_over_nothing(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="must not add up to 0"):
        share(5, weights)


@given(AMOUNTS, st.lists(st.integers(-(10**9), 10**12), min_size=1, max_size=30).filter(lambda ws: sum(ws) > 0))
def test_shares_add_up_to_the_total_and_stay_within_one_unit_of_exact(total: int, weights: list[int]) -> None:
    parts = share(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(total * weight, sum(weights))) < 1


@given(AMOUNTS, st.lists(st.integers(0, 10**9), min_size=1, max_size=30).filter(any))
def test_a_line_of_nothing_gets_nothing_and_equal_lines_differ_by_at_most_one(total: int, weights: list[int]) -> None:
    parts = share(total, weights)
    by_weight: dict[int, list[int]] = {}
    for part, weight in zip(parts, weights, strict=True):
        by_weight.setdefault(weight, []).append(abs(part))
    assert set(by_weight.get(0, [0])) == {0}
    for equals in by_weight.values():
        assert equals == sorted(equals)
        assert equals[-1] - equals[0] <= 1


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1234, "eur", "12.34 EUR"),
        (-5, "eur", "-0.05 EUR"),
        (0, "usd", "0.00 USD"),
        (1234, "jpy", "1234 JPY"),
        (-1234, "jpy", "-1234 JPY"),
        (1005, "kwd", "1.005 KWD"),
    ],
)
def test_amounts_are_written_plainly(minor: int, currency: str, text: str) -> None:
    assert format_minor(minor, currency) == text
