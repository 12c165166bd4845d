"""Lines: exact inside, rounded once, and explained well enough to compute them again."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.kernel.errors import Refused
from billing.kernel.money import round_half_away
from billing.rules.lines import PriceModel, PriceTerms, priced, settled
from tests.rules.licensed import licensed


@pytest.mark.parametrize(
    ("unit", "quantity", "amount"),
    [
        ("1000", 1, 1000),
        ("1000", 2, 2000),
        ("250", 0, 0),
        ("0.5", 1, 1),
        ("0.5", 3, 2),
        ("0.05", 9, 0),
        ("0.05", 10, 1),
        ("33.333", 3, 100),
        ("1E+3", 2, 2000),
    ],
)
def test_a_licensed_line_is_amount_times_quantity_rounded_once(unit: str, quantity: int, amount: int) -> None:
    assert licensed(Decimal(unit), quantity).amount_minor == amount


def test_a_line_tells_how_it_came_about() -> None:
    assert licensed(Decimal("0.50"), 3).how == {
        "model": "per_unit",
        "unit": "0.5",
        "quantity": "3",
        "numerator": 3,
        "denominator": 2,
        "rounding": "half_away_from_zero",
    }


def test_one_lines_account_is_never_anothers() -> None:
    first = licensed(Decimal(1000), 2)
    first.how["unit"] = "changed"
    assert licensed(Decimal(1000), 2).how["unit"] == "1000"


def test_a_negative_quantity_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        licensed(Decimal(1000), -1)
    assert caught.value.code == "quantity_negative"


@given(st.decimals(0, 10**9, places=6), st.integers(0, 10**6))
def test_the_account_survives_json_and_gives_the_amount_again(unit: Decimal, quantity: int) -> None:
    made = licensed(unit, quantity)
    how = json.loads(json.dumps(made.how))
    exact = Fraction(how["numerator"], how["denominator"])
    assert exact == Fraction(unit) * quantity == Fraction(how["unit"]) * int(how["quantity"])
    assert round_half_away(exact) == made.amount_minor


FLAT = PriceTerms(PriceModel.FLAT, Decimal(10**15))


def test_a_line_holds_less_than_10_to_the_15() -> None:
    assert licensed(Decimal(10**15 - 1), 1).amount_minor == 10**15 - 1
    assert settled(Fraction(-(10**15) + 1), {}).amount_minor == -(10**15) + 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: licensed(Decimal(5 * 10**14), 2),
        lambda: licensed(Decimal("333333333333333.2"), 3),
        lambda: priced(FLAT, Decimal(1)),
        lambda: settled(Fraction(-(10**15)), {}),
    ],
)
def test_more_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(Refused) as caught:
        make()
    assert caught.value.code == "amount_too_large"
