"""Price models: what a quantity costs by tier, package, volume or at a flat price, and the account of it."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.kernel.errors import Refused
from billing.kernel.money import EXPONENTS, format_minor, plain, round_half_away
from billing.rules.lines import PriceModel, PriceTerms, Tier, exact_amount, priced

API = [
    {"up_to": "1000", "unit": "0", "flat": "0"},
    {"up_to": "10000", "unit": "0.5", "flat": "0"},
    {"up_to": None, "unit": "0.25", "flat": "0"},
]
WITH_FLAT = [
    {"up_to": "10", "unit": "100", "flat": "500"},
    {"up_to": "20", "unit": "80", "flat": "250"},
    {"up_to": None, "unit": "60"},
]


def terms(
    model: str,
    unit_amount: str | None = None,
    tiers: list[dict[str, Any]] | None = None,
    package_size: int | None = None,
) -> PriceTerms:
    amount = None if unit_amount is None else Decimal(unit_amount)
    return PriceTerms.of(model=model, unit_amount=amount, tiers=tiers, package_size=package_size)


EVERY_MODEL = [
    terms("per_unit", "33.333"),
    terms("flat", "999"),
    terms("package", "500", package_size=7),
    terms("graduated", tiers=WITH_FLAT),
    terms("volume", tiers=WITH_FLAT),
]


@pytest.mark.parametrize(
    ("model", "unit_amount", "size", "quantity", "amount"),
    [
        ("per_unit", "0.05", None, "10", 1),
        ("per_unit", "0.05", None, "9", 0),
        ("per_unit", "250", None, "1.5", 375),
        ("per_unit", "1", None, "2.5", 3),
        ("flat", "999", None, "1", 999),
        ("flat", "999", None, "1000000", 999),
        ("flat", "0.5", None, "1", 1),
        ("package", "500", 100, "1", 500),
        ("package", "500", 100, "100", 500),
        ("package", "500", 100, "100.000001", 1000),
        ("package", "500", 100, "101", 1000),
        ("package", "0.4", 10, "11", 1),
    ],
)
def test_a_price_without_tiers_is_its_amount_so_many_times(
    model: str, unit_amount: str, size: int | None, quantity: str, amount: int
) -> None:
    assert priced(terms(model, unit_amount, package_size=size), Decimal(quantity)).amount_minor == amount


@pytest.mark.parametrize(
    ("tiers", "quantity", "graduated", "volume"),
    [
        (API, "1000", 0, 0),
        (API, "1001", 1, 501),
        (API, "1002", 1, 501),
        (API, "1200", 100, 600),
        (API, "10000", 4500, 5000),
        (API, "10001", 4500, 2500),
        (API, "10002", 4501, 2501),
        (API, "1000.5", 0, 500),
        (WITH_FLAT, "1", 600, 600),
        (WITH_FLAT, "10", 1500, 1500),
        (WITH_FLAT, "10.5", 1790, 1090),
        (WITH_FLAT, "11", 1830, 1130),
        (WITH_FLAT, "20", 2550, 1850),
        (WITH_FLAT, "21", 2610, 1260),
    ],
)
def test_graduated_splits_over_the_tiers_and_volume_takes_one_for_all(
    tiers: list[dict[str, Any]], quantity: str, graduated: int, volume: int
) -> None:
    assert priced(terms("graduated", tiers=tiers), Decimal(quantity)).amount_minor == graduated
    assert priced(terms("volume", tiers=tiers), Decimal(quantity)).amount_minor == volume


LAGO = [
    {"up_to": "10", "unit": "10", "flat": "2"},
    {"up_to": "20", "unit": "5", "flat": "3"},
    {"up_to": None, "unit": "5", "flat": "3"},
]


@pytest.mark.parametrize(("quantity", "amount"), [(0, 0), (1, 12), (10, 102), (11, 110), (12, 115), (21, 163)])
def test_lagos_graduated_amounts_are_ours(quantity: int, amount: int) -> None:
    assert priced(terms("graduated", tiers=LAGO), Decimal(quantity)).amount_minor == amount


@pytest.mark.parametrize("model", EVERY_MODEL, ids=lambda one: one.model)
def test_nothing_costs_nothing_in_every_model(model: PriceTerms) -> None:
    assert priced(model, Decimal(0)).amount_minor == exact_amount(model, Decimal("0.00")) == 0


def test_a_graduated_line_tells_tier_by_tier_what_it_cost() -> None:
    assert priced(terms("graduated", tiers=WITH_FLAT), Decimal("10.50")).how == {
        "model": "graduated",
        "quantity": "10.5",
        "tiers": [
            {"up_to": "10", "quantity": "10", "unit": "100", "flat": "500"},
            {"up_to": "20", "quantity": "0.5", "unit": "80", "flat": "250"},
        ],
        "numerator": 1790,
        "denominator": 1,
        "rounding": "half_away_from_zero",
    }


def test_a_volume_line_tells_the_tier_that_it_fell_in() -> None:
    how = priced(terms("volume", tiers=WITH_FLAT), Decimal(21)).how
    assert how["tiers"] == [{"up_to": "inf", "quantity": "21", "unit": "60", "flat": "0"}]


def test_a_package_line_tells_how_many_packages_it_needed() -> None:
    how = priced(terms("package", "500", package_size=100), Decimal(101)).how
    assert (how["package_size"], how["packages"], how["unit"]) == (100, 2, "500")


def test_one_lines_tiers_are_never_anothers() -> None:
    model = terms("graduated", tiers=API)
    told = priced(model, Decimal(2000)).how
    assert isinstance(told["tiers"], list)
    told["tiers"][0]["quantity"] = "changed"
    assert priced(model, Decimal(2000)).how != told


@pytest.mark.parametrize("model", EVERY_MODEL, ids=lambda one: one.model)
def test_a_negative_quantity_is_refused_in_every_model(model: PriceTerms) -> None:
    with pytest.raises(Refused) as caught:
        priced(model, Decimal(-1))
    assert caught.value.code == "quantity_negative"


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        ("1000", "1000"),
        ("1E+3", "1000"),
        ("2.50", "2.5"),
        ("0.00", "0"),
        ("-0", "0"),
        ("1E-7", "0.0000001"),
        ("-2.0", "-2"),
        ("123456789012345678901234567890.123400", "123456789012345678901234567890.1234"),
    ],
)
def test_a_quantity_is_written_plainly(quantity: str, text: str) -> None:
    assert plain(Decimal(quantity)) == text


@pytest.mark.parametrize(
    "parts",
    [
        {"model": "per_unit"},
        {"model": "flat"},
        {"model": "graduated"},
        {"model": "volume", "unit_amount": "1"},
        {"model": "package", "unit_amount": "1"},
        {"model": "package", "unit_amount": "1", "package_size": 0},
        {"model": "volume", "tiers": API[:2]},
        {"model": "volume", "tiers": [API[1], API[0], API[2]]},
        {"model": "volume", "tiers": [API[0], API[0], API[2]]},
        {"model": "volume", "tiers": [API[2], API[2]]},
        {"model": "volume", "tiers": [{"up_to": "-1", "unit": "1"}, API[2]]},
    ],
)
def test_terms_whose_parts_do_not_fit_cannot_be_made(parts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"tiers must rise|needs its unit amount|package holds"):
        terms(**parts)


@pytest.mark.parametrize(
    ("plain_parts", "more"),
    [
        ({"model": "graduated", "tiers": API}, {"unit_amount": "7"}),
        ({"model": "volume", "tiers": API}, {"package_size": 7}),
        ({"model": "per_unit", "unit_amount": "7"}, {"tiers": API}),
        ({"model": "flat", "unit_amount": "7"}, {"package_size": 2}),
    ],
)
def test_a_part_that_a_model_does_not_read_changes_no_amount(plain_parts: dict[str, Any], more: dict[str, Any]) -> None:
    bare, full = terms(**plain_parts), terms(**plain_parts, **more)
    for quantity in ("0", "1", "999", "1200", "10002"):
        assert priced(full, Decimal(quantity)) == priced(bare, Decimal(quantity))


def test_a_tier_up_to_0_holds_nothing() -> None:
    model = terms("graduated", tiers=[{"up_to": "0", "unit": "9", "flat": "9"}, {"up_to": None, "unit": "2"}])
    assert [priced(model, Decimal(quantity)).amount_minor for quantity in (0, 1)] == [0, 2]


QUANTITIES = st.decimals(0, 10**6, places=3)
UNITS = st.decimals(0, 10**4, places=5)


@st.composite
def tiered(draw: st.DrawFn, model: PriceModel, *, falling: bool = False) -> PriceTerms:
    bounds = sorted(draw(st.sets(st.decimals(Decimal("0.001"), 10**6, places=3), max_size=5)))
    units = draw(st.lists(UNITS, min_size=len(bounds) + 1, max_size=len(bounds) + 1))
    if falling:
        units.sort(reverse=True)
    flats = [Decimal(0) if falling else draw(UNITS) for _ in units]
    rows = zip([*bounds, None], units, flats, strict=True)
    return PriceTerms(model, None, tuple(Tier(up_to, unit, flat) for up_to, unit, flat in rows))


ANY_TERMS = st.one_of(
    st.builds(PriceTerms, st.just(PriceModel.PER_UNIT), UNITS),
    st.builds(PriceTerms, st.just(PriceModel.FLAT), UNITS),
    st.builds(PriceTerms, st.just(PriceModel.PACKAGE), UNITS, st.just(()), st.integers(1, 1000)),
    tiered(PriceModel.GRADUATED),
    tiered(PriceModel.VOLUME),
)


@given(ANY_TERMS, QUANTITIES)
def test_the_account_of_any_price_survives_json_and_gives_the_amount_again(
    model: PriceTerms, quantity: Decimal
) -> None:
    found = priced(model, quantity)
    how = json.loads(json.dumps(found.how))
    assert how == found.how
    exact = Fraction(how["numerator"], how["denominator"])
    assert exact == exact_amount(model, quantity)
    assert round_half_away(exact) == found.amount_minor
    assert Fraction(how["quantity"]) == Fraction(quantity)
    if "tiers" in how:
        parts = [Fraction(one["quantity"]) * Fraction(one["unit"]) + Fraction(one["flat"]) for one in how["tiers"]]
        assert sum(parts) == exact
        assert sum(Fraction(one["quantity"]) for one in how["tiers"]) == Fraction(quantity)
    elif "packages" in how:
        assert how["packages"] * Fraction(how["unit"]) == exact
        assert 0 <= how["packages"] * how["package_size"] - Fraction(quantity) < how["package_size"]


@given(tiered(PriceModel.GRADUATED), QUANTITIES, QUANTITIES)
def test_a_graduated_price_never_falls_when_more_is_used(model: PriceTerms, one: Decimal, other: Decimal) -> None:
    less, more = sorted((one, other))
    assert exact_amount(model, less) <= exact_amount(model, more)


@given(tiered(PriceModel.GRADUATED, falling=True), QUANTITIES)
def test_where_units_get_cheaper_graduated_costs_at_least_what_volume_does(
    model: PriceTerms, quantity: Decimal
) -> None:
    volume = PriceTerms(PriceModel.VOLUME, None, model.tiers)
    assert exact_amount(model, quantity) >= exact_amount(volume, quantity)


@given(UNITS, QUANTITIES, st.integers(0, 5))
def test_one_endless_tier_is_a_per_unit_price(unit: Decimal, quantity: Decimal, extra: int) -> None:
    plain_price = PriceTerms(PriceModel.PER_UNIT, unit)
    one_tier = PriceTerms(PriceModel.GRADUATED, None, (Tier(None, unit),))
    assert exact_amount(one_tier, quantity + extra) == exact_amount(plain_price, quantity + extra)


@pytest.mark.parametrize(("currency", "text"), [("jpy", "1001 JPY"), ("eur", "10.01 EUR"), ("kwd", "1.001 KWD")])
def test_a_line_is_rounded_to_the_minor_unit_of_its_currency_whatever_its_exponent(currency: str, text: str) -> None:
    assert currency in EXPONENTS
    assert format_minor(priced(terms("per_unit", "333.5"), Decimal(3)).amount_minor, currency) == text
