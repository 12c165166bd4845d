"""Explain: what a line says about itself, in the words that its customer reads."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.kernel.money import format_minor
from billing.rules.explain import LineAccount, explain_line
from billing.rules.lines import Priced, PriceModel, PriceTerms, Tier, exact_amount, priced
from billing.rules.proration import ProrationUnit, prorated_charge, prorated_credit
from tests.rules.licensed import licensed
from tests.rules.told import JULY, JUNE, line, stored

JUNE_12 = datetime(2026, 6, 12, tzinfo=UTC)
TIERS = (
    Tier(Decimal(1000), Decimal(0)),
    Tier(Decimal(10_000), Decimal("0.5")),
    Tier(None, Decimal("0.25"), Decimal(100)),
)


def terms(model: str, unit: str | None = None, *, tiers: tuple[Tier, ...] = (), size: int | None = None) -> PriceTerms:
    return PriceTerms(PriceModel(model), None if unit is None else Decimal(unit), tiers, size)


def how_of(told: LineAccount, *, currency: str = "eur", turned: bool = False) -> str:
    """The sentences about the amount, without what the line is and its tax."""
    return "; ".join(explain_line(told, currency=currency, turned=turned)[1:-1])


@pytest.mark.parametrize(
    ("terms", "quantity", "said"),
    [
        (terms("per_unit", "1000"), "1", "1 API calls: 1 at 10.00 EUR each = 10.00 EUR"),
        (terms("per_unit", "0.05"), "20", "20 API calls: 20 at 0.0005 EUR each = 0.01 EUR"),
        (
            terms("per_unit", "0.05"),
            "1234567.5",
            (
                "1,234,567.5 API calls: 1,234,567.5 at 0.0005 EUR each"
                " = 617.28375 EUR, rounded half away from zero to 617.28 EUR"
            ),
        ),
        (terms("per_unit", "7"), "0", "0 API calls: nothing was used = 0.00 EUR"),
        (terms("flat", "4900"), "3", "3 API calls: 49.00 EUR flat, whatever the quantity = 49.00 EUR"),
        (
            terms("package", "500", size=1000),
            "1001",
            "1,001 API calls: 2 packages of 1,000, each begun one whole, at 5.00 EUR each = 10.00 EUR",
        ),
        (
            terms("package", "500", size=1000),
            "0.5",
            "0.5 API calls: 1 package of 1,000, each begun one whole, at 5.00 EUR each = 5.00 EUR",
        ),
        (
            terms("graduated", tiers=TIERS),
            "1200",
            "1,200 API calls: the first 1,000 at 0 each, the next 200 at 0.005 EUR each = 1.00 EUR",
        ),
        (
            terms("graduated", tiers=TIERS),
            "12001",
            (
                "12,001 API calls: the first 1,000 at 0 each, the next 9,000 at 0.005 EUR each,"
                " the next 2,001 at 0.0025 EUR each plus 1.00 EUR once"
                " = 51.0025 EUR, rounded half away from zero to 51.00 EUR"
            ),
        ),
        (
            terms("volume", tiers=TIERS),
            "1200",
            "1,200 API calls: all 1,200 at 0.005 EUR each, the price for up to 10,000 = 6.00 EUR",
        ),
        (
            terms("volume", tiers=TIERS),
            "20000",
            (
                "20,000 API calls: all 20,000 at 0.0025 EUR each plus 1.00 EUR once, the price of the last tier"
                " = 51.00 EUR"
            ),
        ),
        (terms("graduated", tiers=TIERS), "0", "0 API calls: nothing was used = 0.00 EUR"),
    ],
)
def test_each_model(terms: PriceTerms, quantity: str, said: str) -> None:
    assert how_of(line(priced(terms, Decimal(quantity)))) == said


@pytest.mark.parametrize(
    ("at", "unit", "zone", "share"),
    [
        (JUNE_12, "second", "UTC", "19 of 30 days left (1,641,600 of 2,592,000 seconds)"),
        (
            JUNE_12 + timedelta(seconds=1),
            "second",
            "UTC",
            "about 19.00 of 30.00 days left (1,641,599 of 2,592,000 seconds)",
        ),
        (
            JUNE_12 + timedelta(milliseconds=500),
            "second",
            "UTC",
            "about 19.00 of 30.00 days left (1,641,599.5 of 2,592,000 seconds)",
        ),
        (JUNE_12 + timedelta(hours=23), "day", "Europe/Berlin", "18 of 30 days left (dates in Europe/Berlin)"),
    ],
)
def test_a_share_of_a_period_is_told_as_it_was_counted(at: datetime, unit: str, zone: str, share: str) -> None:
    made = prorated_credit(
        net_minor=3000, at=at, line_start=JUNE, end=JULY, unit=ProrationUnit(unit), zone=zone, kept=Fraction(1)
    )
    told = how_of(line(made, kind="proration_credit", credits="ACME-000001"))
    assert told.startswith(f"{share} of the 30.00 EUR charged by ACME-000001 = -")


def test_a_credit_says_what_it_gives_back_and_what_was_refunded_before() -> None:
    made = prorated_credit(
        net_minor=3000,
        at=JUNE_12,
        line_start=JUNE,
        end=JULY,
        unit=ProrationUnit.SECOND,
        zone="UTC",
        kept=Fraction(2, 3),
    )
    assert how_of(line(made, kind="proration_credit")) == (
        "19 of 30 days left (1,641,600 of 2,592,000 seconds) of the 30.00 EUR charged, of which 2/3 was not refunded"
        " = -12.66666666… EUR, rounded half away from zero to -12.67 EUR"
    )


def prorated(full: PriceTerms, quantity: int) -> Priced:
    amount = exact_amount(full, Decimal(quantity))
    account = priced(full, Decimal(quantity)).how
    second = ProrationUnit.SECOND
    return prorated_charge(
        full=amount, at=JUNE_12, full_start=JUNE, end=JULY, unit=second, zone="UTC", full_how=account
    )


def test_a_charge_says_the_full_price_and_then_the_share() -> None:
    told = line(prorated(terms("per_unit", "1500"), 2), kind="proration_charge", name="Seats")
    assert explain_line(told, currency="eur") == [
        "Seats: the rest of a running period, 2026-06-01 to 2026-07-01",
        "2 Seats: 2 at 15.00 EUR each = 30.00 EUR for a whole period",
        "19 of 30 days left (1,641,600 of 2,592,000 seconds) of 30.00 EUR = 19.00 EUR",
        "tax: 19 % on top, sold in the seller's own country",
    ]


def test_a_first_period_before_the_anchor_is_no_rest() -> None:
    told = how_of(line(prorated(terms("per_unit", "3000"), 1), kind="recurring"))
    assert "19 of 30 days up to the first full period (1,641,600 of 2,592,000 seconds) of 30.00 EUR" in told


def test_a_credit_note_turns_the_sign_and_says_so() -> None:
    made = prorated_credit(net_minor=3000, at=JUNE_12, line_start=JUNE, end=JULY, unit=ProrationUnit.SECOND, zone="UTC")
    told = line(made, kind="proration_credit", amount_minor=-made.amount_minor)
    assert how_of(told, turned=True).endswith("= -19.00 EUR; on a credit note with its sign turned: 19.00 EUR")


def test_an_account_that_does_not_fit_its_line_is_not_told_as_if_it_did() -> None:
    made = licensed(Decimal(1000), 2)
    told = how_of(line(made, kind="recurring", amount_minor=2001))
    assert told.endswith("= 20.00 EUR; but the line says 20.01 EUR: that does not fit; see `billing audit`")
    assert how_of(line(made, how={})) == "20.00 EUR; no account of it is stored"


def test_discount_late_usage_and_a_name_that_would_move_the_cursor() -> None:
    told = line(licensed(Decimal(1000), 2), name="Seats\n\x1b[2J of\tours", discount_minor=1500, late_records=2)
    first, _, discount, _, late = explain_line(told, currency="eur")
    assert first == "Seats [2J of ours: used, 2026-06-01 to 2026-07-01"
    assert discount == "less 15.00 EUR, its share of the discount = 5.00 EUR"
    assert late == "late usage: 2 records came too late to count; see `billing usage late`"


def test_from_when_on_usage_counts_and_how_much_of_it_came_late() -> None:
    made = licensed(Decimal(5), 1200)
    how = stored(made.how) | {"counts_from": "2026-06-12T00:00:00Z", "late": "1000"}
    assert how_of(line(made, how=how)).split("; ") == [
        "1,200 API calls: 1,200 at 0.05 EUR each = 60.00 EUR",
        "usage counts from 2026-06-12 on, when the price was added",
        "of these, 1,000 were reported after the period in which they were used was invoiced",
    ]


@pytest.mark.parametrize(
    ("code", "percent", "inclusive", "said"),
    [
        ("domestic", "19.0000", False, "tax: 19 % on top, sold in the seller's own country"),
        ("domestic", "5.5", True, "tax: 5.5 % inside the price, sold in the seller's own country"),
        ("destination", "20", False, "tax: 20 % on top, sold to a consumer in another country of the EU"),
        (
            "reverse_charge",
            "0",
            False,
            "tax: 0 %, reverse charge: the customer, a business in another country of the EU, owes the tax",
        ),
        ("outside", "0.0000", True, "tax: 0 %, outside the countries in which the seller taxes"),
        ("untaxed", "0", False, "tax: none, the price has no tax rate"),
    ],
)
def test_each_tax_rule(code: str, percent: str, inclusive: bool, said: str) -> None:  # noqa: FBT001 (a table's column)
    told = line(licensed(Decimal(5), 1), tax_code=code, tax_percent=Decimal(percent), tax_inclusive=inclusive)
    assert explain_line(told, currency="eur")[-1] == said


MODELS = st.one_of(
    st.builds(terms, st.sampled_from(["per_unit", "flat"]), st.sampled_from(["0", "0.05", "7", "1000"])),
    st.builds(terms, st.just("package"), st.just("250"), size=st.integers(1, 500)),
    st.builds(terms, st.sampled_from(["graduated", "volume"]), tiers=st.just(TIERS)),
)


@given(MODELS, st.decimals(0, 10**6, places=2))
def test_a_price_ends_in_the_amount_of_its_line(model: PriceTerms, quantity: Decimal) -> None:
    made = priced(model, quantity)
    said = how_of(line(made))
    assert said.endswith(format_minor(made.amount_minor, "eur"))
    assert "does not fit" not in said


@given(MODELS, st.decimals(0, 10**6, places=2))
def test_the_tiers_that_are_told_add_up_to_the_exact_amount(model: PriceTerms, quantity: Decimal) -> None:
    said = how_of(line(priced(model, quantity))).replace(",", "")
    parts = re.findall(r"(?:first|next|all) ([\d.]+) at ([\d.]+)(?: EUR)? each(?: plus ([\d.]+) EUR once)?", said)
    if parts:
        total = sum(Fraction(count) * Fraction(unit) + Fraction(flat or 0) for count, unit, flat in parts)
        assert total * 100 == exact_amount(model, quantity)


@given(
    st.integers(1, 10**9),
    st.datetimes(datetime(2026, 6, 1), datetime(2026, 6, 30)),
    st.sampled_from(list(ProrationUnit)),
    st.fractions(0, 1, max_denominator=1000),
)
def test_a_proration_ends_in_the_amount_of_its_line(
    net: int, at: datetime, unit: ProrationUnit, kept: Fraction
) -> None:
    made = prorated_credit(
        net_minor=net, at=at.replace(tzinfo=UTC), line_start=JUNE, end=JULY, unit=unit, zone="Asia/Tokyo", kept=kept
    )
    said = how_of(line(made, kind="proration_credit"))
    assert said.endswith(format_minor(made.amount_minor, "eur"))
    assert ("refunded" in said) is (kept != 1)
