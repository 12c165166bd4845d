"""What a scenario file may say, and what holds where it says nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from billing.sandbox.scenario.model import ItemSpec, Scenario, TaxRateSpec, TierSpec
from billing.sandbox.scenario.reading import read_scenario
from tests.sandbox.scenario.files import (
    API,
    BASIC,
    COUPONS,
    CUSTOMERS,
    FIRST,
    PRICES,
    SECOND,
    SELLER,
    SETUP,
    TIMELINE,
    UNTIL,
    VERSION,
    faults_of,
    read,
    replaced,
)

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "scenarios").glob("*.yaml"))
JAN_31 = datetime(2026, 1, 31, tzinfo=UTC)


def test_no_example_is_missing() -> None:
    assert len(EXAMPLES) == 21


@pytest.mark.parametrize("path", EXAMPLES, ids=attrgetter("stem"))
def test_examples_are_valid(path: Path) -> None:
    assert read_scenario(path.read_text(encoding="utf-8"), name=path.name).steps


def _step(scenario: Scenario, field: str) -> Any:
    """A field of the last step."""
    return getattr(scenario.steps[-1], field)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("about", ""),
        ("until", datetime(2026, 6, 1, tzinfo=UTC)),
        ("seller.timezone", "UTC"),
        ("seller.proration", "second"),
        ("seller.catch_up", "bill_each"),
        ("seller.retries", (timedelta(days=3), timedelta(days=5), timedelta(days=7))),
        ("seller.final", "cancel"),
        ("seller.tax_rates", {"standard": TaxRateSpec(percent=Decimal(19), inclusive=False, countries={})}),
    ],
)
def test_defaults_of_the_seller(path: str, value: object) -> None:
    assert attrgetter(path)(read({})) == value


@pytest.mark.parametrize(
    ("section", "name", "field", "value"),
    [
        ("prices", "basic", "currency", "eur"),
        ("prices", "dollar", "currency", "usd"),
        ("prices", "basic", "interval_count", 1),
        ("prices", "basic", "model", "per_unit"),
        ("prices", "basic", "usage", None),
        ("prices", "basic", "tax_rate", "standard"),
        ("prices", "basic", "tiers", ()),
        ("prices", "api", "unit_amount", Decimal("0.05")),
        ("prices", "api", "metered", True),
        ("prices", "setup", "recurring", False),
        ("coupons", "half", "duration", "once"),
        ("coupons", "half", "periods", None),
        ("coupons", "half", "amount_minor", None),
        ("customers", "acme", "country", "DE"),
        ("customers", "acme", "timezone", "UTC"),
        ("customers", "acme", "tax_id", None),
        ("customers", "acme", "code", "acme"),
    ],
)
def test_defaults_of_what_has_a_name(section: str, name: str, field: str, value: object) -> None:
    assert getattr(getattr(read({}), section)[name], field) == value


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (
            "do: subscribe, as: s2, customer: acme, items: [{price: basic}]",
            {
                "name": "s2",
                "items": (ItemSpec(price="basic", quantity=1),),
                "trial_days": None,
                "anchor": None,
                "coupon": None,
                "collection": "automatic",
                "days_until_due": 30,
                "expect_error": None,
                "number": 2,
            },
        ),
        ("do: change, subscription: s1, items: [{price: basic}]", {"when": "now", "proration": "prorate"}),
        ("do: cancel, subscription: s1", {"when": "now", "prorate": False}),
        ("do: usage, subscription: s1, price: api, quantity: 0, id: u", {"timestamp": JAN_31, "quantity": 0}),
        ("do: refund, invoice: 99", {"amount_minor": None, "invoice": 99}),
    ],
)
def test_defaults_of_steps(step: str, expected: dict[str, object]) -> None:
    scenario = read({SECOND: f"  - {{at: 2026-01-31, {step}}}"})
    assert {field: _step(scenario, field) for field in expected} == expected


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param({VERSION: "scenario: 1\nabout: 'text, also\n  of two lines'"}, id="about"),
        pytest.param({VERSION: "scenario: 1\nabout:"}, id="about empty"),
        pytest.param({COUPONS: ""}, id="coupons absent"),
        pytest.param({COUPONS: "coupons:"}, id="coupons null"),
        pytest.param({COUPONS: "coupons: {fix: {amount: 500, duration: repeating, periods: 3}}"}, id="coupon amount"),
        pytest.param({COUPONS: "coupons: {all: {percent: 100, duration: forever}}"}, id="coupon of everything"),
        pytest.param({TIMELINE: "timeline: []", FIRST: ""}, id="timeline empty"),
        pytest.param({FIRST: ""}, id="timeline null"),
        pytest.param({CUSTOMERS: "customers:\n  acme:\n  nobody: {}"}, id="customers without keys"),
        pytest.param(
            {CUSTOMERS: "customers: {acme: {country: null, timezone: null, tax_id: null, payment_method: null}}"},
            id="customer all null",
        ),
        pytest.param({CUSTOMERS: "customers: {acme: {country: FR, tax_id: FR40303265045}}"}, id="tax id"),
        pytest.param({SELLER: "seller: {country: DE, currency: eur}"}, id="no rates"),
        pytest.param(
            {
                SELLER: "seller: {country: DE, currency: eur}",
                BASIC: "  basic: {product: B, amount: 1, interval: month, tax_rate: standard}",
            },
            id="standard without any rates",
        ),
        pytest.param(
            {SELLER: "seller: {country: DE, currency: eur, dunning: {retries: [], final: keep}}"}, id="no retries"
        ),
        pytest.param({SELLER: "seller: {country: DE, currency: eur, dunning: {final: unpaid}}"}, id="final only"),
        pytest.param({SETUP: "  setup: {product: 1, amount: 0, interval: ~}"}, id="one-off for nothing"),
    ],
)
def test_valid_sections(lines: dict[int, str]) -> None:
    assert faults_of(replaced(lines)) == []


@pytest.mark.parametrize(
    "step",
    [
        "do: subscribe, as: 7, customer: acme, items: [{price: basic, quantity: 2}, {price: api}, {price: setup}]",
        "do: subscribe, as: s2, customer: acme, items: [{price: setup, quantity: 3}, {price: api}]",
        "do: subscribe, as: s2, customer: acme, items: [{price: basic}], trial_days: 0, anchor: null",
        "do: subscribe, as: s2, customer: acme, items: [{price: basic}], trial_days: null, anchor: 2026-02-28",
        "do: subscribe, as: s2, customer: acme, items: [{price: yearly}], anchor: 2027-01-31T00:00:00Z",
        "do: subscribe, as: s2, customer: acme, items: [{price: basic}], collection: send_invoice, days_until_due: 0",
        "do: change, subscription: s1, items: [{price: yearly}, {price: setup}], when: period_end, proration: none",
        "do: cancel, subscription: s1, when: period_end, prorate: true, expect_error: subscription_canceled",
        "do: uncancel, subscription: s1, expect_error: null",
        "do: usage, subscription: s1, price: api, quantity: '0.5', id: 1, timestamp: 2026-01-31T01:00:00+01:00",
        "do: usage, subscription: s1, price: api, quantity: 1, id: u, expect_error: price_not_subscribed",
        "do: usage, subscription: s1, price: yearly, quantity: 1, id: u, expect_error: subscription_canceled",
        "do: usage, subscription: s1, price: yearly, quantity: 1, id: u",
        "do: set_payment_method, customer: acme, payment_method: null",
        "do: apply_coupon, subscription: s1, coupon: half",
        "do: charge, customer: acme, amount: 0, description: Help",
        "do: charge, customer: acme, amount: '500', description: Help",
        "do: refund, invoice: 99, amount: 5",
        "do: void, invoice: 99",
        "do: mark_paid, invoice: 1, expect_error: invoice_not_open",
        "do: outage, until: 2027-01-01",
    ],
)
def test_valid_steps(step: str) -> None:
    assert faults_of(replaced({SECOND: f"  - {{at: 2026-01-31, {step}}}"})) == []


@pytest.mark.parametrize(
    ("written", "at"),
    [
        ("2026-01-31", JAN_31),
        ('"2026-01-31"', JAN_31),
        ("2026-01-31T01:00:00+01:00", JAN_31),
        ('"2026-01-31T01:00+01:00"', JAN_31),
        ("2026-01-31 00:00:00Z", JAN_31),
        ("2026-01-30T19:00:00.500-05:00", JAN_31 + timedelta(milliseconds=500)),
    ],
)
def test_times(written: str, at: datetime) -> None:
    step = f"  - {{at: {written}, do: grant_credit, customer: acme, amount: 1}}"
    assert _step(read({FIRST: step}), "at") == at


def test_a_bare_date_is_midnight_utc_whatever_the_customers_zone() -> None:
    scenario = read({CUSTOMERS: "customers: {acme: {timezone: Asia/Tokyo}}"})
    assert scenario.customers["acme"].timezone == "Asia/Tokyo"
    assert scenario.steps[0].at == JAN_31


def test_tiers() -> None:
    tiers = '[{up_to: 1000, unit: "0"}, {up_to: "1000.5", unit: "0.5", flat: 2}, {up_to: inf, unit: 1}]'
    scenario = read({API: f"  api: {{product: API, interval: month, usage: sum, model: volume, tiers: {tiers}}}"})
    assert scenario.prices["api"].tiers == (
        TierSpec(up_to=Decimal(1000), unit=Decimal(0), flat=Decimal(0)),
        TierSpec(up_to=Decimal("1000.5"), unit=Decimal("0.5"), flat=Decimal(2)),
        TierSpec(up_to=None, unit=Decimal(1), flat=Decimal(0)),
    )
    assert scenario.prices["api"].unit_amount is None


def test_packages() -> None:
    price = read({API: "  api: {product: A, amount: 5, interval: day, count: 9, model: package, package_size: 100}"})
    assert (price.prices["api"].package_size, price.prices["api"].interval_count) == (100, 9)


def test_tax_rates_and_dunning() -> None:
    rates = '{low: {percent: "5.5", inclusive: true, countries: {FR: "20", "NO": 25}}, standard: {percent: 19}}'
    dunning = "{retries: [12h, 3d], final: unpaid}"
    seller = read({SELLER: f"seller: {{country: DE, currency: eur, tax_rates: {rates}, dunning: {dunning}}}"}).seller
    assert seller.tax_rates["low"] == TaxRateSpec(
        percent=Decimal("5.5"), inclusive=True, countries={"FR": Decimal(20), "NO": Decimal(25)}
    )
    assert (seller.retries, seller.final) == ((timedelta(hours=12), timedelta(days=3)), "unpaid")


def test_a_seller_without_rates_has_prices_without_tax() -> None:
    assert read({SELLER: "seller: {country: US, currency: usd}"}).prices["basic"].tax_rate is None


def test_a_price_of_no_currency_has_the_sellers_wherever_that_stands() -> None:
    first, *rest = replaced({}).splitlines(keepends=True)
    scenario = read_scenario("".join(reversed([first, *_sections(rest)])), name="test.yaml")
    assert scenario.prices["basic"].currency == "eur"
    assert scenario == read({})


def _sections(lines: list[str]) -> list[str]:
    """The lines of a file by section."""
    sections: list[str] = []
    for line in lines:
        if line[0] == " ":
            sections[-1] += line
        else:
            sections.append(line)
    return sections


def test_names_may_look_like_numbers_and_dates() -> None:
    scenario = read({CUSTOMERS: "customers: {7: {payment_method: visa}, 2026-01-01: {}, acme: {}}"})
    assert list(scenario.customers) == ["7", "2026-01-01", "acme"]


def test_items_of_metered_prices_have_no_quantity() -> None:
    items = "items: [{price: api}, {price: basic, quantity: 3}, {price: setup}]"
    step = f"  - {{at: 2026-01-31, do: subscribe, as: s1, customer: acme, {items}}}"
    assert [item.quantity for item in _step(read({FIRST: step}), "items")] == [None, 3, 1]


def test_steps_are_sorted_by_their_moments_and_then_by_lines() -> None:
    credit = "do: grant_credit, customer: acme, amount: 1"
    texts = [f"  - {{at: {day}, {credit}}}" for day in ("2026-03-01", "2026-02-01", "2026-03-01", "2026-06-02")]
    assert [step.number for step in read({FIRST: "\n".join(texts)}).steps] == [2, 1, 3]


def test_steps_at_the_end_are_played_and_later_ones_are_only_checked() -> None:
    assert len(read({UNTIL: "until: 2026-01-31T00:00:00Z"}).steps) == 1
    assert read({UNTIL: "until: 2026-01-30T23:59:59Z"}).steps == ()


def test_until_may_be_given_from_outside() -> None:
    early = datetime(2026, 1, 1, tzinfo=UTC)
    scenario = read_scenario(replaced({}), name="test.yaml", until=early)
    assert (scenario.until, scenario.steps) == (early, ())


def test_a_part_may_be_named_and_used_again() -> None:
    steps = """\
  - {at: 2026-01-31, do: subscribe, as: s1, customer: acme, items: &items [{price: basic}]}
  - {at: 2026-02-10, do: change, subscription: s1, items: *items}"""
    assert _step(read({FIRST: steps}), "items") == (ItemSpec(price="basic", quantity=1),)


@pytest.mark.parametrize("prices", ["prices: {}", "prices:"])
def test_charges_need_no_prices(prices: str) -> None:
    charge = "  - {at: 2026-01-31, do: charge, customer: acme, amount: 500, description: Help}"
    assert read({PRICES: prices, **dict.fromkeys(range(BASIC, SETUP + 1), ""), FIRST: charge}).prices == {}
