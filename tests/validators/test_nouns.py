"""What each noun refuses, by table: a good one, one thing changed, and the field and code of the fault."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.kernel.errors import Refused
from billing.kernel.period import Interval, IntervalUnit
from billing.validators.address import Address
from billing.validators.coupon import NewCoupon, check_new_coupon
from billing.validators.payment_method import Consent, check_consent, check_method_ref
from billing.validators.price import NewPrice, NewTier, check_new_price
from billing.validators.product import NewProduct, check_new_product
from billing.validators.profile import NewProfile, Personal, ProfileChange, check_new_profile, check_profile_change
from billing.validators.seller import (
    NewSeller,
    SellerChange,
    SellerPolicy,
    check_new_seller,
    check_seller_change,
)
from billing.validators.subscription import (
    NewItem,
    NewSubscription,
    check_against_prices,
    check_anchor,
    check_items,
    check_new_subscription,
    first_period_to_bill,
)
from billing.validators.tax_rate import NewTaxRate, check_new_tax_rate

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SELLER = NewSeller(code="NORD", legal_name="Nordlicht GmbH", country="DE", currency="eur")
RATE = NewTaxRate(name="standard", percent=Decimal(19), countries={"FR": Decimal(20)})
ADA = Personal(name="Ada", email="ada@example.com", address=Address(city="Kiel"), tax_id=None)
PROFILE = NewProfile(account_id="acct-1", country="DE", personal=ADA)
PRICE = NewPrice(code="basic", product_code="basic", currency="eur", unit_amount=Decimal(1000), interval_unit="month")
SUBSCRIPTION = NewSubscription(code="s1", account_id="acct-1", items=(NewItem("basic", 2),), start=NOW)
COUPON = NewCoupon(code="half", percent=Decimal(50))
CONSENT = Consent(text_version="2026-01", given_at=NOW)


def _faults(check: Callable[[], None]) -> list[tuple[str, str]]:
    try:
        check()
    except Refused as refusal:
        return [(fault.field, fault.code) for fault in refusal.faults]
    return []


Case = tuple[dict[str, Any], list[tuple[str, str]]]


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
    ({"next_number": 0}, [("next_number", "out_of_range")]),
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
    assert _faults(lambda: check_new_seller(replace(SELLER, **change))) == faults


def test_a_seller_change_is_checked_like_a_new_one() -> None:
    change = SellerChange(
        legal_name="", timezone="x", address=Address(), tax_id=None, policy=SellerPolicy(catch_up="no")
    )
    assert _faults(lambda: check_seller_change(change)) == [
        ("legal_name", "missing"),
        ("timezone", "unknown_timezone"),
        ("catch_up", "not_one_of"),
    ]


RATES: list[Case] = [
    ({}, []),
    ({"name": ""}, [("name", "missing")]),
    ({"percent": Decimal(100)}, [("percent", "percent_range")]),
    ({"countries": {"EL": Decimal(24)}}, [("countries.EL", "unknown_country")]),
    ({"countries": {"FR": Decimal(-1)}}, [("countries.FR", "percent_range")]),
]


@pytest.mark.parametrize(("change", "faults"), RATES)
def test_tax_rate(change: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    assert _faults(lambda: check_new_tax_rate(replace(RATE, **change))) == faults


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
    assert _faults(lambda: check_new_profile(replace(PROFILE, **change))) == faults


def test_a_profile_change_is_checked_like_a_new_one() -> None:
    change = ProfileChange(country="", personal=Personal(name=""), timezone="UTC", buyer_kind="consumer")
    assert _faults(lambda: check_profile_change(change)) == [("country", "unknown_country"), ("name", "missing")]


def test_what_is_personal_is_not_in_the_text_of_a_profile() -> None:
    assert "Ada" not in repr(PROFILE)
    assert "Kiel" not in repr(PROFILE)


def test_product() -> None:
    assert _faults(lambda: check_new_product(NewProduct(code="basic", name="Basic"))) == []
    assert _faults(lambda: check_new_product(NewProduct(code="", name=""))) == [
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
    assert _faults(lambda: check_new_price(replace(PRICE, **change))) == faults


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
    assert _faults(lambda: check_new_coupon(replace(COUPON, **change))) == faults


SUBSCRIPTIONS: list[Case] = [
    ({}, []),
    ({"code": ""}, [("code", "missing")]),
    ({"items": ()}, [("items", "no_items")]),
    ({"items": (NewItem("a", 0),)}, [("items.1.quantity", "out_of_range")]),
    ({"items": (NewItem("a", 1_000_000_001),)}, [("items.1.quantity", "out_of_range")]),
    ({"items": (NewItem("a"), NewItem(""))}, [("items.2.price", "missing")]),
    ({"items": (NewItem("a"), NewItem("a"))}, [("items", "price_twice")]),
    ({"items": tuple(NewItem(f"p{n}") for n in range(51))}, [("items", "too_many")]),
    ({"timezone": "x"}, [("timezone", "unknown_timezone")]),
    ({"start": datetime(2026, 1, 1)}, [("start", "time_without_offset")]),
    ({"paid_through": datetime(2026, 1, 1)}, [("paid_through", "time_without_offset")]),
    ({"paid_through": NOW, "trial_days": 7}, [("paid_through", "paid_through_and_anchor")]),
    ({"trial_days": -1}, [("trial_days", "out_of_range")]),
    ({"trial_days": 7, "anchor": NOW}, [("trial_days", "trial_with_anchor")]),
    ({"anchor": datetime(2026, 1, 1)}, [("anchor", "time_without_offset")]),
    ({"coupon_code": ""}, [("coupon", "missing")]),
    ({"collection": "cash"}, [("collection", "not_one_of")]),
    ({"days_until_due": -1}, [("days_until_due", "out_of_range")]),
]


@pytest.mark.parametrize(("change", "faults"), SUBSCRIPTIONS)
def test_subscription(change: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    assert _faults(lambda: check_new_subscription(replace(SUBSCRIPTION, **change))) == faults


def test_a_list_of_items_alone_is_checked_like_that_of_a_new_subscription() -> None:
    assert _faults(lambda: check_items(())) == [("items", "no_items")]
    assert _faults(lambda: check_items((NewItem("a", 1), NewItem("a", 0)))) == [
        ("items.2.quantity", "out_of_range"),
        ("items", "price_twice"),
    ]


METERED = replace(PRICE, code="api", usage="sum")
ONE_OFF = replace(PRICE, code="setup", interval_unit=None)
Items = list[tuple[NewPrice, int | None]]


@pytest.mark.parametrize(
    ("items", "faults"),
    [
        ([(PRICE, 2), (METERED, None), (ONE_OFF, None)], []),
        ([(PRICE, None), (replace(PRICE, currency="usd"), None)], [("items", "currencies_differ")]),
        ([(PRICE, None), (replace(PRICE, interval_unit="year"), None)], [("items", "intervals_differ")]),
        (
            [(PRICE, None), (replace(PRICE, currency="usd", interval_count=2), None)],
            [("items", "currencies_differ"), ("items", "intervals_differ")],
        ),
        ([(ONE_OFF, 1)], [("items", "nothing_recurs")]),
        ([(PRICE, 1), (METERED, 5)], [("items.2.quantity", "quantity_of_metered")]),
    ],
)
def test_items_fit_their_prices_and_one_another(items: Items, faults: list[tuple[str, str]]) -> None:
    assert _faults(lambda: check_against_prices(items)) == faults


MONTH = Interval(IntervalUnit.MONTH)


@pytest.mark.parametrize(
    ("anchor", "faults"),
    [
        (NOW, [("anchor", "anchor_not_later")]),
        (NOW - timedelta(days=1), [("anchor", "anchor_not_later")]),
        (NOW + timedelta(microseconds=1), []),
        (datetime(2026, 4, 1, tzinfo=UTC), []),  # one full period ahead
        (datetime(2026, 4, 1, 0, 0, 1, tzinfo=UTC), [("anchor", "anchor_too_late")]),
    ],
)
def test_an_anchor_lies_at_most_a_full_period_ahead(anchor: datetime, faults: list[tuple[str, str]]) -> None:
    assert _faults(lambda: check_anchor(start=NOW, anchor=anchor, zone="UTC", interval=MONTH)) == faults


def test_an_anchor_whose_full_period_would_begin_before_the_calendar_is_refused() -> None:
    start = datetime(1000, 1, 1, tzinfo=UTC)
    longest = Interval(IntervalUnit.YEAR, 1000)
    faults = _faults(lambda: check_anchor(start=start, anchor=start + timedelta(days=1), zone="UTC", interval=longest))
    assert faults == [("anchor", "out_of_range")]


def _first(paid_through: datetime, zone: str = "UTC") -> int:
    anchor = datetime(2025, 10, 31, tzinfo=UTC)
    return first_period_to_bill(anchor=anchor, zone=zone, interval=MONTH, paid_through=paid_through)


def test_who_has_paid_nothing_elsewhere_is_billed_from_the_start() -> None:
    assert _first(datetime(2025, 10, 31, tzinfo=UTC)) == 0


def test_who_moves_in_is_billed_from_the_boundary_up_to_which_they_have_paid() -> None:
    assert _first(datetime(2026, 2, 28, tzinfo=UTC)) == 4


def test_a_date_between_boundaries_is_refused_with_the_two_nearest() -> None:
    with pytest.raises(Refused) as refusal:
        _first(datetime(2026, 3, 1, tzinfo=UTC))
    assert refusal.value.code == "paid_through_not_a_boundary"
    assert "2026-02-28T00:00:00Z or 2026-03-31T00:00:00Z" in refusal.value.faults[0].mend


def test_nobody_has_paid_up_to_a_time_before_the_start() -> None:
    with pytest.raises(Refused) as refusal:
        _first(datetime(2025, 10, 30, tzinfo=UTC))
    assert refusal.value.code == "paid_through_before_start"


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
    assert _faults(lambda: check_consent(replace(CONSENT, **change), now=NOW)) == faults


@pytest.mark.parametrize(("ref", "good"), [("pm_card_visa", True), ("4" * 16, False), ("", False), ("pm card", False)])
def test_a_method_is_named_by_the_providers_id(ref: str, good: bool) -> None:  # noqa: FBT001
    assert _faults(lambda: check_method_ref(ref)) == ([] if good else [("payment_method", "not_a_method_id")])
