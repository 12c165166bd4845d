"""Tax: who is taxed how, and that a document's tax is rounded once per percent."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.kernel.errors import Refused
from billing.rules.tax import (
    EU,
    UNTAXED,
    TaxCode,
    TaxRate,
    TaxTreatment,
    carried,
    in_force,
    sold_at,
    tax_groups,
    tax_of,
    treatment,
)

STANDARD = TaxRate.of(percent="19", inclusive=False, countries={"FR": "20"})
INCLUSIVE = TaxRate.of(percent="19", inclusive=True, countries={})
LOW = TaxRate.of(percent="7", inclusive=False, countries={})


def case(seller: str, buyer: str, rate: TaxRate | None, *, has_tax_id: bool = False) -> TaxTreatment:
    return treatment(seller_country=seller, buyer_country=buyer, has_tax_id=has_tax_id, rate=rate)


@pytest.mark.parametrize(
    ("seller", "buyer", "has_tax_id", "percent", "code"),
    [
        ("DE", "DE", False, "19", TaxCode.DOMESTIC),
        ("DE", "DE", True, "19", TaxCode.DOMESTIC),
        ("DE", "FR", False, "20", TaxCode.DESTINATION),
        ("DE", "AT", False, "19", TaxCode.DESTINATION),
        ("DE", "FR", True, "0", TaxCode.REVERSE_CHARGE),
        ("DE", "GR", True, "0", TaxCode.REVERSE_CHARGE),
        ("DE", "US", False, "0", TaxCode.OUTSIDE),
        ("DE", "GB", True, "0", TaxCode.OUTSIDE),
        ("DE", "CH", True, "0", TaxCode.OUTSIDE),
        ("JP", "JP", False, "19", TaxCode.DOMESTIC),
        ("US", "DE", False, "0", TaxCode.OUTSIDE),
        ("US", "FR", True, "0", TaxCode.OUTSIDE),
    ],
)
def test_where_seller_and_buyer_are_decides_the_percent(
    seller: str, buyer: str, *, has_tax_id: bool, percent: str, code: TaxCode
) -> None:
    found = case(seller, buyer, STANDARD, has_tax_id=has_tax_id)
    assert (found.percent, found.code) == (Decimal(percent), code)
    assert found.reverse_charge is (code is TaxCode.REVERSE_CHARGE)


def test_the_union_has_27_members_and_greece_goes_by_its_iso_code() -> None:
    assert len(EU) == 27
    assert "GR" in EU
    assert not EU & {"EL", "GB", "XI", "NO", "CH", "IS"}


def test_a_price_without_a_rate_is_untaxed_and_never_reverse_charged() -> None:
    assert case("DE", "FR", None, has_tax_id=True) is UNTAXED
    assert not UNTAXED.reverse_charge


def test_an_untaxed_foreign_sale_names_the_note_that_the_document_needs() -> None:
    assert case("DE", "FR", STANDARD, has_tax_id=True).notes == ("reverse_charge",)
    assert case("DE", "US", STANDARD).notes == ("outside_scope",)
    assert case("DE", "DE", STANDARD, has_tax_id=True).notes == ()


def test_three_lines_of_33_bear_19_and_not_18() -> None:
    home = case("DE", "DE", STANDARD)
    low = case("DE", "DE", LOW)
    groups = tax_groups([(33, home), (33, home), (33, home), (50, low)])
    assert [(group.base_minor, group.tax_minor) for group in groups] == [(99, 19), (50, 4)]


def test_names_of_rates_play_no_part_only_percents_do() -> None:
    home = case("DE", "DE", STANDARD)
    same = case("DE", "DE", TaxRate.of(percent="19.00", inclusive=False, countries={"AT": "20"}))
    (group,) = tax_groups([(33, home), (33, same), (33, home)])
    assert group.tax_minor == 19


def test_exclusive_and_inclusive_lines_of_one_percent_stay_apart() -> None:
    groups = tax_groups([(1000, case("DE", "DE", STANDARD)), (1190, case("DE", "DE", INCLUSIVE))])
    assert [(group.inclusive, group.base_minor, group.tax_minor) for group in groups] == [
        (False, 1000, 190),
        (True, 1000, 190),
    ]


@pytest.mark.parametrize(
    ("amount", "rate", "tax"),
    [
        (3000, STANDARD, 570),
        (-600, STANDARD, -114),
        (-50, LOW, -4),
        (50, LOW, 4),
        (0, STANDARD, 0),
        (1000, INCLUSIVE, 160),
        (-1000, INCLUSIVE, -160),
        (119, INCLUSIVE, 19),
    ],
)
def test_tax_is_rounded_half_away_from_zero_also_below_it(amount: int, rate: TaxRate, tax: int) -> None:
    assert tax_of(amount, case("DE", "DE", rate)) == tax


def test_an_inclusive_price_stays_the_price_where_the_rate_is_zero() -> None:
    (group,) = tax_groups([(1190, case("DE", "US", INCLUSIVE))])
    assert (group.base_minor, group.tax_minor) == (1190, 0)


def test_a_document_without_lines_has_no_groups() -> None:
    assert tax_groups([]) == ()


def test_the_same_case_gives_the_same_object_again() -> None:
    assert case("DE", "FR", STANDARD) is case("DE", "FR", STANDARD)


@pytest.mark.parametrize(
    ("oss", "seller", "buyer", "has_tax_id", "percent", "code"),
    [
        ("union", "DE", "FR", False, "20", TaxCode.DESTINATION),
        ("union", "DE", "DE", False, "19", TaxCode.DOMESTIC),
        ("union", "DE", "AT", True, "0", TaxCode.REVERSE_CHARGE),
        ("union", "DE", "US", False, "0", TaxCode.OUTSIDE),
        ("non_union", "US", "FR", False, "20", TaxCode.DESTINATION),
        ("non_union", "US", "FR", True, "0", TaxCode.OUTSIDE),
        ("non_union", "US", "US", False, "19", TaxCode.DOMESTIC),
        ("non_union", "US", "JP", False, "0", TaxCode.OUTSIDE),
    ],
)
def test_a_declared_one_stop_shop_taxes_at_the_destination(
    oss: str, seller: str, buyer: str, *, has_tax_id: bool, percent: str, code: TaxCode
) -> None:
    found = treatment(seller, buyer, has_tax_id, STANDARD, oss)
    assert (found.percent, found.code) == (Decimal(percent), code)


@pytest.mark.parametrize(("oss", "seller"), [("union", "DE"), ("non_union", "US")])
def test_with_a_one_stop_shop_the_home_rate_never_stands_in_for_a_missing_one(oss: str, seller: str) -> None:
    with pytest.raises(Refused) as caught:
        treatment(seller, "AT", has_tax_id=False, rate=STANDARD, oss=oss)
    assert caught.value.code == "destination_rate_missing"
    assert treatment(seller, "AT", has_tax_id=False, rate=None, oss=oss) is UNTAXED


@pytest.mark.parametrize("rate", [STANDARD, INCLUSIVE])
@pytest.mark.parametrize(("buyer", "has_tax_id"), [("DE", False), ("FR", False), ("FR", True), ("US", False)])
def test_a_credit_carries_the_treatment_of_its_line_through_the_stored_columns(
    rate: TaxRate, buyer: str, *, has_tax_id: bool
) -> None:
    found = case("DE", buyer, rate, has_tax_id=has_tax_id)
    again = carried(Decimal(f"{found.percent:.4f}"), found.inclusive, str(found.code))
    assert again == found
    assert carried(found.percent, found.inclusive, str(found.code)) is carried(
        found.percent, found.inclusive, str(found.code)
    )


def test_an_untaxed_line_is_carried_as_untaxed() -> None:
    assert carried(Decimal(0), False, "untaxed") == UNTAXED


def test_one_effective_percent_is_one_group_also_where_a_customer_has_moved() -> None:
    home, abroad = case("DE", "DE", STANDARD), case("DE", "AT", STANDARD)
    (group,) = tax_groups([(33, home), (33, abroad), (33, home)])
    assert (group.base_minor, group.tax_minor, group.code) == (99, 19, TaxCode.DOMESTIC)


def test_what_is_not_taxed_stands_apart_by_its_reason() -> None:
    lines = [case("DE", "FR", STANDARD, has_tax_id=True), case("DE", "US", STANDARD), UNTAXED]
    groups = tax_groups([(100, how) for how in lines])
    assert [(group.code, group.base_minor, group.tax_minor) for group in groups] == [
        (TaxCode.REVERSE_CHARGE, 100, 0),
        (TaxCode.OUTSIDE, 100, 0),
        (TaxCode.UNTAXED, 100, 0),
    ]


PERCENTS = st.decimals(0, Decimal("99.999"), places=3)


@given(st.integers(-(10**12), 10**12), PERCENTS)
def test_exclusive_tax_is_what_exact_decimals_give(amount: int, percent: Decimal) -> None:
    how = TaxTreatment(percent=percent, inclusive=False, code=TaxCode.DOMESTIC)
    exact = (Decimal(amount) * percent / 100).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    assert tax_of(amount, how) == int(exact)


@given(st.integers(-(10**12), 10**12), PERCENTS)
def test_inclusive_tax_and_its_base_add_up_to_the_gross(amount: int, percent: Decimal) -> None:
    how = TaxTreatment(percent=percent, inclusive=True, code=TaxCode.DOMESTIC)
    (group,) = tax_groups([(amount, how)])
    assert group.base_minor + group.tax_minor == amount
    exact = Fraction(amount) * Fraction(percent) / (100 + Fraction(percent))
    assert abs(group.tax_minor - exact) <= Fraction(1, 2)


@given(st.lists(st.tuples(st.integers(-(10**9), 10**9), st.sampled_from([STANDARD, LOW, INCLUSIVE])), max_size=12))
def test_the_order_of_lines_changes_no_tax(lines: list[tuple[int, TaxRate]]) -> None:
    treated = [(amount, case("DE", "DE", rate)) for amount, rate in lines]
    assert set(tax_groups(treated)) == set(tax_groups(treated[::-1]))


@pytest.mark.parametrize(("first", "then", "text"), [("7.00", "7", "7"), ("7.5", "7.50", "7.5"), ("30", "3E+1", "30")])
def test_a_percent_has_one_text_whatever_equal_one_came_before(first: str, then: str, text: str) -> None:
    """The text stands in the document's hash, and beside it in the line's row."""
    of = [
        carried(Decimal(percent), inclusive, "domestic").percent
        for inclusive in (True, False)
        for percent in (first, then)
    ]
    of += [treatment("DE", "DE", False, TaxRate(Decimal(percent))).percent for percent in (first, then)]
    assert [str(percent) for percent in of] == [text] * 6


_RATES = {
    "standard": TaxRate.of(percent="19", inclusive=False, countries={"FR": "20"}),
    "reduced": TaxRate.of(percent="7", inclusive=False, countries={"FR": "5.5"}),
    "shop": TaxRate.of(percent="19", inclusive=True, countries={}),
}


@pytest.mark.parametrize(
    ("percent", "inclusive", "code", "names"),
    [
        ("19", False, TaxCode.DOMESTIC, ["standard"]),
        ("7", False, TaxCode.DOMESTIC, ["reduced"]),
        ("19", True, TaxCode.DOMESTIC, ["shop"]),
        ("5.5", False, TaxCode.DESTINATION, ["reduced"]),
        ("5.5", False, TaxCode.DOMESTIC, ["standard"]),
        ("19", False, TaxCode.DESTINATION, ["standard"]),
        ("0", False, TaxCode.REVERSE_CHARGE, ["standard", "reduced"]),
        ("0", True, TaxCode.OUTSIDE, ["shop"]),
        ("16", False, TaxCode.DOMESTIC, ["standard"]),
    ],
)
def test_what_a_line_bears_tells_at_which_rates_it_may_have_been_sold(
    *, percent: str, inclusive: bool, code: TaxCode, names: list[str]
) -> None:
    found = sold_at(_RATES, carried(Decimal(percent), inclusive, code))
    assert found == [_RATES[name] for name in names]


CHANGING = TaxRate.of(
    percent="19",
    inclusive=True,
    countries={"FR": "20", "EE": "22"},
    changes=[
        {"starts_on": "2027-07-01", "percent": None, "countries": {"EE": "24", "RO": "21"}},
        {"starts_on": "2027-01-01", "percent": "20", "countries": {"EE": "23"}},
    ],
)


@pytest.mark.parametrize(
    ("day", "percent", "countries"),
    [
        (date(1999, 1, 1), "19", {"FR": "20", "EE": "22"}),
        (date(2026, 12, 31), "19", {"FR": "20", "EE": "22"}),
        (date(2027, 1, 1), "20", {"FR": "20", "EE": "23"}),
        (date(2027, 6, 30), "20", {"FR": "20", "EE": "23"}),
        (date(2027, 7, 1), "20", {"FR": "20", "EE": "24", "RO": "21"}),
        (date(2099, 1, 1), "20", {"FR": "20", "EE": "24", "RO": "21"}),
    ],
)
def test_a_rate_is_on_each_day_what_its_changes_have_made_of_it(
    day: date, percent: str, countries: dict[str, str]
) -> None:
    assert CHANGING.on(day) == TaxRate.of(percent=percent, inclusive=True, countries=countries)


@pytest.mark.parametrize(
    ("at", "zone", "percent"),
    [
        (datetime(2026, 12, 31, 22, 59, 59, tzinfo=UTC), "Europe/Berlin", "19"),
        (datetime(2026, 12, 31, 23, tzinfo=UTC), "Europe/Berlin", "20"),
        (datetime(2026, 12, 31, 10, tzinfo=UTC), "Pacific/Kiritimati", "20"),
        (datetime(2027, 1, 1, 7, 59, tzinfo=UTC), "America/Los_Angeles", "19"),
    ],
)
def test_its_day_is_the_sellers(at: datetime, zone: str, percent: str) -> None:
    found = in_force(CHANGING, at, zone)
    assert found is not None
    assert str(found.percent) == percent
    assert in_force(STANDARD, at, zone) is STANDARD
    assert in_force(None, at, zone) is None
