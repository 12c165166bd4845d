"""What each noun refuses, by table: a good one, one thing changed, and the field and code of the fault."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.validators.address import Address
from billing.validators.coupon import NewCoupon, check_new_coupon
from billing.validators.payment_method import Consent, check_consent, check_method_ref
from billing.validators.price import NewTier, check_new_price
from billing.validators.product import NewProduct, check_new_product
from billing.validators.profile import NewProfile, Personal, ProfileChange, check_new_profile, check_profile_change
from billing.validators.seller import (
    NewSeller,
    SellerChange,
    SellerPolicy,
    check_new_seller,
    check_seller_change,
)
from billing.validators.tax_rate import NewRateChange, NewTaxRate, check_new_tax_rate
from tests.validators.table import NOW, PRICE, Case, faults_of

SELLER = NewSeller(code="NORD", legal_name="Nordlicht GmbH", country="DE", currency="eur")
RATE = NewTaxRate(name="standard", percent=Decimal(19), countries={"FR": Decimal(20)})
ADA = Personal(name="Ada", email="ada@example.com", address=Address(city="Kiel"), tax_id=None)
PROFILE = NewProfile(account_id="acct-1", country="DE", personal=ADA)
COUPON = NewCoupon(code="half", percent=Decimal(50))
CONSENT = Consent(text_version="2026-01", given_at=NOW)


def _policy(**change: Any) -> dict[str, Any]:
    return {"policy": SellerPolicy(**change)}


SELLERS: list[Case] = [
    ({}, []),
    ({"code": "nord"}, [("code", "not_a_seller_code")]),
    ({"code": "X" * 21}, [("code", "not_a_seller_code")]),
    ({"legal_name": ""}, [("legal_name", "missing")]),
    ({"country": "XX"}, [("country", "unknown_country")]),
    ({"currency": "EUR"}, [("currency", "unknown_currency")]),
    ({"timezone": "Nowhere"}, [("timezone", "unknown_timezone")]),
    ({"address": Address(city="a\nb")}, [("address.city", "control_character")]),
    ({"address": Address(postal_code="1" * 21)}, [("address.postal_code", "too_long")]),
    ({"tax_id": "x" * 41}, [("tax_id", "too_long")]),
    ({"payment_instructions": "Bank, DE89370400440532013000\nBIC COBADEFF", "document_footer": "a\n\nb"}, []),
    # An IBAN whose groups pass for a card.
    ({"payment_instructions": "DE16 5001 0517 0000 0000 04"}, [("payment_instructions", "card_number")]),
    ({"payment_instructions": "DE16500105170000000004"}, []),
    ({"payment_instructions": "x" * 501}, [("payment_instructions", "too_long")]),
    ({"document_footer": "a\n" * 12 + "b"}, [("document_footer", "too_many_lines")]),
    ({"document_footer": "a\tb\rc"}, [("document_footer", "control_character")]),
    ({"document_footer": "a\n"}, [("document_footer", "space_around")]),
    ({"next_number": 0}, [("next_number", "out_of_range")]),
    ({"number_prefix": "RE-{year}-", "credit_note_prefix": "{year}.GS_"}, []),
    ({"number_prefix": "{year}-"}, []),
    ({"number_prefix": "R" * 39 + "-"}, []),
    *(
        ({"number_prefix": prefix}, [("number_prefix", "not_a_prefix")])
        for prefix in (
            "RE",
            "RE-{year}",
            "-",
            "-RE-",
            "R E-",
            "RE/",
            "RÉ-",
            "{year}-{year}-",
            "{month}-",
            "R" * 40 + "-",
        )
    ),
    ({"credit_note_prefix": f"{SELLER.code}-"}, [("credit_note_prefix", "prefix_taken")]),
    ({"number_prefix": "A-", "credit_note_prefix": "A-"}, [("credit_note_prefix", "prefix_taken")]),
    (_policy(catch_up="all"), [("catch_up", "not_one_of")]),
    (_policy(catch_up_limit=0), [("catch_up_limit", "out_of_range")]),
    (_policy(dunning_final="forget"), [("dunning_final", "not_one_of")]),
    (_policy(dunning_retries=(timedelta(0),)), [("dunning_retries", "out_of_range")]),
    (_policy(dunning_retries=(timedelta(days=1),) * 13), [("dunning_retries", "too_many")]),
    (_policy(dunning_retries=()), []),
    (_policy(dunning_hours=None), []),
    (_policy(dunning_hours=(0, 24)), []),
    (_policy(dunning_hours=(20, 8)), [("dunning_hours", "out_of_range")]),
    (_policy(dunning_hours=(8, 25)), [("dunning_hours", "out_of_range")]),
    (_policy(card_limit="ignore"), [("card_limit", "not_one_of")]),
    (_policy(proration="day", oss="union", draft_review_h=720), []),
    (_policy(proration="hour"), [("proration", "not_one_of")]),
    (_policy(oss="import"), [("oss", "not_one_of")]),
    (_policy(draft_review_h=721), [("draft_review_h", "out_of_range")]),
    ({"country": "", "currency": ""}, [("country", "unknown_country"), ("currency", "unknown_currency")]),
]


@pytest.mark.parametrize(("change", "faults"), SELLERS)
def test_seller(change: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    assert faults_of(lambda: check_new_seller(replace(SELLER, **change))) == faults


def test_a_seller_change_is_checked_like_a_new_one() -> None:
    change = SellerChange(
        legal_name="", timezone="x", address=Address(), tax_id=None, policy=SellerPolicy(catch_up="no")
    )
    assert faults_of(lambda: check_seller_change(change)) == [
        ("legal_name", "missing"),
        ("timezone", "unknown_timezone"),
        ("catch_up", "not_one_of"),
    ]


def _on(day: int, percent: int | None, **countries: int) -> NewRateChange:
    starts_on = date(2026, 12, 31) + timedelta(days=day)
    by_country = {country: Decimal(each) for country, each in countries.items()}
    return NewRateChange(starts_on, None if percent is None else Decimal(percent), by_country)


RATES: list[Case] = [
    ({}, []),
    ({"name": ""}, [("name", "missing")]),
    ({"percent": Decimal(100)}, [("percent", "percent_range")]),
    ({"countries": {"EL": Decimal(24)}}, [("countries.EL", "unknown_country")]),
    ({"countries": {"FR": Decimal(-1)}}, [("countries.FR", "percent_range")]),
    ({"changes": (_on(1, 20), _on(2, None, FR=21))}, []),
    ({"changes": (_on(1, 20), _on(1, 21))}, [("changes.2.starts_on", "day_twice")]),
    ({"changes": (_on(1, None),)}, [("changes.1", "changes_nothing")]),
    (
        {"changes": (_on(1, 100, EL=24, FR=-1),)},
        [
            ("changes.1.percent", "percent_range"),
            ("changes.1.countries.EL", "unknown_country"),
            ("changes.1.countries.FR", "percent_range"),
        ],
    ),
    ({"changes": tuple(_on(day, 20) for day in range(1, 102))}, [("changes", "too_many")]),
]


@pytest.mark.parametrize(("change", "faults"), RATES)
def test_tax_rate(change: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    assert faults_of(lambda: check_new_tax_rate(replace(RATE, **change))) == faults


PROFILES: list[Case] = [
    ({}, []),
    ({"account_id": ""}, [("account_id", "missing")]),
    ({"account_id": "ada@example.com"}, [("account_id", "account_id_is_personal")]),
    ({"country": "UK"}, [("country", "unknown_country")]),
    ({"timezone": "CET+1"}, [("timezone", "unknown_timezone")]),
    ({"buyer_kind": "robot"}, [("buyer_kind", "not_one_of")]),
    ({"personal": Personal(name="")}, [("name", "missing")]),
    ({"personal": Personal(name="A", email="x")}, [("email", "not_an_email")]),
    ({"personal": Personal(name="A", tax_id="DE1")}, [("tax_id", "not_a_tax_id"), ("tax_id", "consumer_with_tax_id")]),
    ({"personal": Personal(name="A", tax_id="DE136695976")}, [("tax_id", "consumer_with_tax_id")]),
    ({"personal": Personal(name="A", tax_id="DE136695976"), "buyer_kind": "business"}, []),
    (
        {"personal": Personal(name="A", address=Address(line1="x" * 201))},
        [("address.line1", "too_long")],
    ),
]


@pytest.mark.parametrize(("change", "faults"), PROFILES)
def test_profile(change: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    assert faults_of(lambda: check_new_profile(replace(PROFILE, **change))) == faults


def test_a_profile_change_is_checked_like_a_new_one() -> None:
    change = ProfileChange(country="", personal=Personal(name=""), timezone="UTC", buyer_kind="consumer")
    assert faults_of(lambda: check_profile_change(change)) == [("country", "unknown_country"), ("name", "missing")]


def test_what_is_personal_is_not_in_the_text_of_a_profile() -> None:
    assert "Ada" not in repr(PROFILE)
    assert "Kiel" not in repr(PROFILE)


def test_product() -> None:
    assert faults_of(lambda: check_new_product(NewProduct(code="basic", name="Basic"))) == []
    assert faults_of(lambda: check_new_product(NewProduct(code="", name=""))) == [
        ("code", "missing"),
        ("name", "missing"),
    ]


def _tiers(*bounds: str | None) -> dict[str, Any]:
    tiers = tuple(NewTier(None if bound is None else Decimal(bound), Decimal(1)) for bound in bounds)
    return {"model": "graduated", "unit_amount": None, "tiers": tiers}


OPEN = NewTier(None, Decimal(1))

PRICES: list[Case] = [
    ({}, []),
    ({"unit_amount": None}, [("unit_amount", "missing")]),
    ({"model": "flat"}, []),
    ({"model": "tiered"}, [("model", "not_one_of")]),
    ({"model": "package", "package_size": 100}, []),
    ({"model": "package"}, [("package_size", "missing")]),
    ({"model": "package", "package_size": 0}, [("package_size", "out_of_range")]),
    ({"package_size": 100}, [("package_size", "not_for_model")]),
    ({"tiers": (OPEN,)}, [("tiers", "not_for_model")]),
    (_tiers("10", "10.5", None), []),
    (_tiers("10", None) | {"model": "volume"}, []),
    (_tiers(None) | {"unit_amount": Decimal(1)}, [("unit_amount", "not_for_model")]),
    (_tiers(), [("tiers", "out_of_range")]),
    (_tiers(*[None] * 101), [("tiers", "out_of_range")]),
    (_tiers("10", "10", None), [("tiers.2.up_to", "tiers_not_ascending")]),
    (_tiers("0", None), [("tiers.1.up_to", "tiers_not_ascending")]),
    (_tiers("NaN", None), [("tiers.1.up_to", "tiers_not_ascending")]),
    (_tiers("1e29", None), []),
    (_tiers("1e30", None), [("tiers.1.up_to", "too_large")]),
    (_tiers("1e-31", None), [("tiers.1.up_to", "too_precise")]),
    (_tiers(None, None), [("tiers.1.up_to", "inf_before_last")]),
    (_tiers("10", "20"), [("tiers.2.up_to", "last_tier_not_open")]),
    (
        _tiers(None) | {"tiers": (NewTier(None, Decimal(-1), Decimal("NaN")),)},
        [("tiers.1.unit", "negative"), ("tiers.1.flat", "not_a_number")],
    ),
    ({"interval_unit": None}, []),
    ({"usage": "max"}, []),
    ({"usage": "mean"}, [("usage", "not_one_of")]),
    ({"usage": "sum", "interval_unit": None}, [("usage", "usage_on_one_off")]),
    ({"unit_amount": Decimal("0.5")}, []),
    ({"tax_rate": None}, []),
    ({"code": "a b"}, [("code", "not_a_code")]),
    ({"product_code": ""}, [("product", "missing")]),
    ({"currency": "btc"}, [("currency", "unknown_currency")]),
    ({"unit_amount": Decimal(-1)}, [("unit_amount", "negative")]),
    ({"interval_unit": "quarter"}, [("interval", "not_one_of")]),
    ({"interval_count": 0}, [("interval_count", "out_of_range")]),
    ({"tax_rate": "é"}, [("tax_rate", "not_a_code")]),
]


@pytest.mark.parametrize(("change", "faults"), PRICES)
def test_price(change: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    assert faults_of(lambda: check_new_price(replace(PRICE, **change))) == faults


COUPONS: list[Case] = [
    ({}, []),
    ({"code": ""}, [("code", "missing")]),
    ({"percent": Decimal(100)}, []),
    ({"percent": Decimal("0.0001")}, []),
    ({"percent": Decimal(0)}, [("percent", "percent_range")]),
    ({"percent": Decimal("NaN")}, [("percent", "not_a_number")]),
    ({"percent": Decimal(-1)}, [("percent", "percent_range")]),
    ({"percent": Decimal("100.1")}, [("percent", "percent_range")]),
    ({"percent": Decimal("0.00001")}, [("percent", "too_precise")]),
    ({"percent": None}, [("percent", "percent_or_amount")]),
    ({"amount_minor": 500}, [("percent", "percent_or_amount")]),
    ({"percent": None, "amount_minor": 500}, []),
    ({"percent": None, "amount_minor": 500, "currency": "jpy"}, []),
    ({"percent": None, "amount_minor": 0}, [("amount", "out_of_range")]),
    ({"currency": "EUR"}, [("currency", "unknown_currency")]),
    ({"duration": "forever"}, []),
    ({"duration": "seldom"}, [("duration", "not_one_of")]),
    ({"duration": "repeating", "periods": 3}, []),
    ({"duration": "repeating"}, [("periods", "periods_by_duration")]),
    ({"periods": 3}, [("periods", "periods_by_duration")]),
    ({"duration": "repeating", "periods": 0}, [("periods", "out_of_range")]),
]


@pytest.mark.parametrize(("change", "faults"), COUPONS)
def test_coupon(change: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    assert faults_of(lambda: check_new_coupon(replace(COUPON, **change))) == faults


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({}, []),
        ({"text_version": ""}, [("consent_text_version", "missing")]),
        ({"channel": "telepathy"}, [("consent_channel", "not_one_of")]),
        ({"given_at": datetime(2026, 1, 1)}, [("consent_at", "time_without_offset")]),
        ({"given_at": NOW + timedelta(seconds=1)}, [("consent_at", "consent_in_future")]),
    ],
)
def test_consent(change: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    assert faults_of(lambda: check_consent(replace(CONSENT, **change), now=NOW)) == faults


@pytest.mark.parametrize(("ref", "good"), [("pm_card_visa", True), ("4" * 16, False), ("", False), ("pm card", False)])
def test_a_method_is_named_by_the_providers_id(ref: str, good: bool) -> None:  # noqa: FBT001
    assert faults_of(lambda: check_method_ref(ref)) == ([] if good else [("method_ref", "not_a_method_id")])
