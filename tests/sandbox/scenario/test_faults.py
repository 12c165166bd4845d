"""What a scenario file may not say: every rule of the contract's section 1, each with the place and line it names."""

from __future__ import annotations

import pytest

from billing.sandbox.scenario.reading import ScenarioInvalid, read_scenario
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
    replaced,
)


@pytest.mark.parametrize(
    ("line", "text", "faults"),
    [
        (VERSION, "", ["1 scenario missing"]),
        (VERSION, "scenario: 2", ["1 scenario unknown_version"]),
        (VERSION, "scenario: '1'", ["1 scenario wrong_type"]),
        (VERSION, "scenario: 1.0", ["1 scenario float_not_allowed"]),
        (VERSION, "scenario: on", ["1 scenario boolean_not_allowed"]),
        (VERSION, "scenario: 1\nabuot: x", ["2 abuot unknown_key"]),
        (VERSION, "scenario: 1\nabout: [x]", ["2 about wrong_type"]),
        (VERSION, "scenario: 1\nscenario: 1", ["2 scenario key_twice"]),
        (UNTIL, "", ["1 until missing"]),
        (UNTIL, "until:", ["14 until wrong_type"]),
        (UNTIL, "until: 2026-06-01T00:00:00", ["14 until time_without_offset"]),
        (UNTIL, "until: 2026-02-30", ["14 until not_a_time"]),
        (UNTIL, "until: soon", ["14 until not_a_time"]),
        (UNTIL, "until: 20260601", ["14 until wrong_type"]),
        (UNTIL, "until: 9999-12-31", ["14 until out_of_range"]),
        (UNTIL, "until: 0001-01-01", ["14 until out_of_range"]),
        (SELLER, "", ["1 seller missing"]),
        (SELLER, "seller:", ["2 seller.country missing", "2 seller.currency missing"]),
        (SELLER, "seller: DE", ["2 seller wrong_type"]),
        (PRICES, "prices: [basic]\nprice:", ["3 prices wrong_type", "4 price unknown_key"]),
        (CUSTOMERS, "customers: acme", ["10 customers wrong_type"]),
        (CUSTOMERS, "", ["1 customers missing"]),
        (COUPONS, "coupons: 5", ["9 coupons wrong_type"]),
        (TIMELINE, "timeline: x\nsteps:", ["11 timeline wrong_type", "12 steps unknown_key"]),
    ],
)
def test_sections(line: int, text: str, faults: list[str]) -> None:
    assert faults_of(replaced({line: text})) == faults


def test_an_absent_timeline_is_not_an_empty_one() -> None:
    assert faults_of(replaced({TIMELINE: "", FIRST: ""})) == ["1 timeline missing"]


@pytest.mark.parametrize(
    ("keys", "faults"),
    [
        ("country: NO, currency: eur", ["seller.country boolean_not_allowed"]),
        ("country: XX, currency: eur", ["seller.country unknown_country"]),
        ("country: DE, currency: EUR", ["seller.currency unknown_currency"]),
        ("country: DE, currency: eur, timezone: Mars/Base", ["seller.timezone unknown_timezone"]),
        ("country: DE, currency: eur, proration: hour", ["seller.proration not_one_of"]),
        ("country: DE, currency: eur, catch_up: all", ["seller.catch_up not_one_of"]),
        ("country: DE, currency: eur, catchup: skip", ["seller.catchup unknown_key"]),
        ("country: DE, country: DE, currency: eur", ["seller.country key_twice"]),
        ("country: DE, currency: eur, dunning: {final: stop}", ["seller.dunning.final not_one_of"]),
        ("country: DE, currency: eur, dunning: {retry: []}", ["seller.dunning.retry unknown_key"]),
        ("country: DE, currency: eur, dunning: {retries: 3d}", ["seller.dunning.retries wrong_type"]),
        (
            "country: DE, currency: eur, dunning: {retries: [3d, 5w, 3, -1d, 1.5d, 0d, off]}",
            [
                "seller.dunning.retries[1] not_a_delay",
                "seller.dunning.retries[2] not_a_delay",
                "seller.dunning.retries[3] not_a_delay",
                "seller.dunning.retries[4] not_a_delay",
                "seller.dunning.retries[5] not_a_delay",
                "seller.dunning.retries[6] boolean_not_allowed",
            ],
        ),
    ],
)
def test_the_seller(keys: str, faults: list[str]) -> None:
    assert faults_of(replaced({SELLER: f"seller: {{{keys}}}"})) == [f"{SELLER} {fault}" for fault in faults]


@pytest.mark.parametrize(
    ("rates", "faults"),
    [
        ("{standard: {percent: 19.0}}", ["standard.percent float_not_allowed"]),
        ('{standard: {percent: "-1"}}', ["standard.percent percent_range"]),
        ("{standard: {percent: yes}}", ["standard.percent boolean_not_allowed"]),
        ("{standard: {percent: 1_9}}", ["standard.percent not_a_number"]),
        ("{standard: {percent: 19, inclusive: 'true'}}", ["standard.inclusive wrong_type"]),
        ("{standard: {percent: 19, rate: 7}}", ["standard.rate unknown_key"]),
        ("{standard: {percent: 19, countries: {NO: 25}}}", ["standard.countries.NO boolean_not_allowed"]),
        ("{standard: {percent: 19, countries: {FR: 5.5}}}", ["standard.countries.FR float_not_allowed"]),
        ("{standard: {percent: 19, countries: {fr: 20}}}", ["standard.countries.fr unknown_country"]),
        ("{standard: {}, 1.5: {percent: 7}}", ["standard.percent missing", "1.5 float_not_allowed"]),
    ],
)
def test_tax_rates(rates: str, faults: list[str]) -> None:
    seller = f"seller: {{country: DE, currency: eur, tax_rates: {rates}}}"
    assert faults_of(replaced({SELLER: seller})) == [f"{SELLER} seller.tax_rates.{fault}" for fault in faults]


def test_standard_is_a_name_like_others_where_the_seller_has_rates() -> None:
    seller = "seller: {country: DE, currency: eur, tax_rates: {low: {percent: 7}}}"
    lines = {SELLER: seller, BASIC: "  basic: {product: B, amount: 1, interval: month, tax_rate: low}"}
    lines |= dict.fromkeys(range(API, SETUP + 1), "")
    charge = "  - {at: 2026-02-01, do: charge, customer: acme, amount: 5, description: Help}"
    assert faults_of(replaced(lines)) == []
    assert faults_of(replaced(lines | {SECOND: charge})) == [f"{SECOND} timeline[1] unknown_tax_rate"]
    assert faults_of(replaced(lines | {API: "  b: {product: B, amount: 1, interval: day}"})) == [
        f"{API} prices.b.tax_rate unknown_tax_rate"
    ]


MONTHLY = "product: A, interval: month, "


@pytest.mark.parametrize(
    ("keys", "faults"),
    [
        ("amount: 5, interval: month", ["product missing"]),
        ("product: off, amount: 5, interval: month", ["product boolean_not_allowed"]),
        ("product: A, amount: 5", ["interval missing"]),
        ("product: A, amount: 5, interval: hour", ["interval not_one_of"]),
        (MONTHLY + "amount: 5, count: 0", ["count out_of_range"]),
        (MONTHLY + "amount: 5, count: 1.0", ["count float_not_allowed"]),
        (MONTHLY, ["amount missing"]),
        (MONTHLY + "amount: 0.05", ["amount float_not_allowed"]),
        (MONTHLY + "amount: true", ["amount boolean_not_allowed"]),
        (MONTHLY + "amount: -5", ["amount negative"]),
        (MONTHLY + 'amount: "-0.05"', ["amount negative"]),
        (MONTHLY + 'amount: "5 EUR"', ["amount not_a_number"]),
        (MONTHLY + "amount: 1e3", ["amount not_a_number"]),
        (MONTHLY + "amount: 010", ["amount not_a_number"]),
        (MONTHLY + "amount: .inf", ["amount float_not_allowed"]),
        (MONTHLY + "amount: 5, currency: euro", ["currency unknown_currency"]),
        (MONTHLY + "amount: 5, tax_rate: low", ["tax_rate unknown_tax_rate"]),
        (MONTHLY + "amount: 5, usage: avg", ["usage not_one_of"]),
        (MONTHLY + "amount: 5, model: stairs", ["model not_one_of"]),
        (MONTHLY + "amount: 5, trial: 3", ["trial unknown_key"]),
        ("product: A, amount: 5, interval: null, count: 2", ["count count_without_interval"]),
        ("product: A, amount: 5, interval: null, usage: sum", ["usage usage_on_one_off"]),
        (MONTHLY + "amount: 5, model: package", ["package_size missing"]),
        (MONTHLY + "amount: 5, model: package, package_size: 0", ["package_size out_of_range"]),
        (MONTHLY + "amount: 5, model: package, package_size: '9'", ["package_size wrong_type"]),
        (MONTHLY + "amount: 5, package_size: 9", ["package_size not_for_model"]),
        (MONTHLY + "amount: 5, tiers: [{up_to: inf, unit: 1}]", ["tiers not_for_model"]),
        (MONTHLY + "amount: 5, model: volume, tiers: [{up_to: inf, unit: 1}]", ["amount not_for_model"]),
        (MONTHLY + "model: graduated", ["tiers missing"]),
        (MONTHLY + "model: graduated, tiers: []", ["tiers missing"]),
        (
            MONTHLY + f"model: graduated, tiers: [{', '.join(f'{{up_to: {n}, unit: 1}}' for n in range(1, 102))}]",
            ["tiers too_many"],
        ),
        (MONTHLY + "model: package, amount: 5, package_size: 1000000001", ["package_size out_of_range"]),
        (MONTHLY + "model: graduated, tiers: [{up_to: 5, unit: 1}]", ["tiers[0].up_to last_tier_not_open"]),
        (MONTHLY + "model: graduated, tiers: [{up_to: .inf, unit: 1}]", ["tiers[0].up_to float_not_allowed"]),
        (MONTHLY + "model: graduated, tiers: [{unit: 1}]", ["tiers[0].up_to missing"]),
        (MONTHLY + "model: graduated, tiers: [{up_to: inf}]", ["tiers[0].unit missing"]),
        (MONTHLY + "model: graduated, tiers: [{up_to: inf, unit: 0.5}]", ["tiers[0].unit float_not_allowed"]),
        (MONTHLY + "model: graduated, tiers: [{up_to: inf, unit: 1, flat: -1}]", ["tiers[0].flat negative"]),
        (MONTHLY + "model: graduated, tiers: [{up_to: inf, unit: 1, from: 1}]", ["tiers[0].from unknown_key"]),
        (
            MONTHLY + "model: volume, tiers: [{up_to: 5, unit: 1}, {up_to: 5, unit: 1}, {up_to: inf, unit: 1}]",
            ["tiers[1].up_to tiers_not_ascending"],
        ),
        (
            MONTHLY + "model: volume, tiers: [{up_to: inf, unit: 1}, {up_to: inf, unit: 1}]",
            ["tiers[0].up_to inf_before_last"],
        ),
        (
            MONTHLY
            + "model: volume, tiers: [{up_to: inf, unit: 1.5}, {up_to: 5, unit: 1, flat: -1}, {up_to: 5, unit: 1}]",
            [
                "tiers[0].unit float_not_allowed",
                "tiers[1].flat negative",
                "tiers[0].up_to inf_before_last",
                "tiers[2].up_to last_tier_not_open",
            ],
        ),
        (
            MONTHLY
            + "model: volume, tiers: [{up_to: 5, unit: 1}, {up_to: on, unit: 1}, {up_to: 4, unit: 1}, {unit: 1}]",
            ["tiers[1].up_to boolean_not_allowed", "tiers[3].up_to missing", "tiers[2].up_to tiers_not_ascending"],
        ),
        (MONTHLY + "model: volume, tiers: [{up_to: 5, unit: 1}, 7]", ["tiers[1] wrong_type"]),
    ],
)
def test_prices(keys: str, faults: list[str]) -> None:
    text = replaced({API: f"  api: {{{keys}}}"})
    assert faults_of(text) == [f"{API} prices.api.{fault}" for fault in faults]


@pytest.mark.parametrize(
    ("coupon", "fault"),
    [
        ("{}", " missing"),
        ("{percent: 50, amount: 5}", ".amount percent_and_amount"),
        ("{percent: 0.5}", ".percent float_not_allowed"),
        ("{percent: 101}", ".percent percent_range"),
        ("{amount: -5}", ".amount negative"),
        ('{amount: "0.5"}', ".amount not_a_number"),
        ("{percent: 50, duration: 3 months}", ".duration not_one_of"),
        ("{percent: 50, duration: repeating}", ".periods missing"),
        ("{percent: 50, duration: repeating, periods: 0}", ".periods out_of_range"),
        ("{percent: 50, periods: 3}", ".periods periods_without_repeating"),
        ("{percent: 50, months: 3}", ".months unknown_key"),
    ],
)
def test_coupons(coupon: str, fault: str) -> None:
    assert faults_of(replaced({COUPONS: f"coupons: {{half: {coupon}}}"})) == [f"{COUPONS} coupons.half{fault}"]


@pytest.mark.parametrize(
    ("customers", "faults"),
    [
        ("acme: {payment_method: cash}", ["acme.payment_method unknown_payment_method"]),
        ("acme: {payment_method: off}", ["acme.payment_method boolean_not_allowed"]),
        ("acme: {country: NO}", ["acme.country boolean_not_allowed"]),
        ("acme: {timezone: CET+1}", ["acme.timezone unknown_timezone"]),
        ("acme: {tax_id: 1.5}", ["acme.tax_id float_not_allowed"]),
        ("acme: {tax_id: true}", ["acme.tax_id boolean_not_allowed"]),
        ("acme: {email: a@example.com}", ["acme.email unknown_key"]),
        ("acme: visa", ["acme wrong_type"]),
        ("acme: {}, acme: {}", ["acme key_twice"]),
        ("acme: {}, NO: {}", ["NO boolean_not_allowed"]),
        ("acme: {}, 1.0: {}", ["1.0 float_not_allowed"]),
        ("acme: {}, null: {}", ["null wrong_type"]),
    ],
)
def test_customers(customers: str, faults: list[str]) -> None:
    text = replaced({CUSTOMERS: f"customers: {{{customers}}}"})
    assert faults_of(text) == [f"{CUSTOMERS} customers.{fault}" for fault in faults]


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", ["1 file not_a_mapping"]),
        ("- scenario: 1\n", ["1 file not_a_mapping"]),
        ("scenario: 1\nseller: {country: DE\nprices: x\n", ["3 file not_yaml"]),
        ("scenario: 1\nabout: a: b\n", ["2 file not_yaml"]),
        ("scenario: 1\n\tseller: x\n", ["2 file not_yaml"]),
        ("scenario: 1\nabout: [\n", ["2 file not_yaml"]),
        ("scenario: 1\nabout: ä\x07\n", ["2 file not_yaml"]),
        ("scenario: 1\nabout: \ud800\n", ["2 file not_yaml"]),
        ("scenario: 1\nabout: *nobody\n", ["2 file not_yaml"]),
        ("scenario: 1\n---\nscenario: 1\n", ["2 file not_yaml"]),
        ('about: "\\UFFFFFFFF"\n', ["1 file not_yaml"]),
        ("about: " + "[" * 50_000, ["1 file not_yaml"]),
    ],
)
def test_what_is_no_yaml(text: str, faults: list[str]) -> None:
    assert faults_of(text) == faults


def test_objects_are_never_made() -> None:
    text = replaced({VERSION: "scenario: 1\nabout: !!python/object/apply:os.system [exit]"})
    assert faults_of(text) == ["2 about wrong_type"]


def test_all_faults_are_listed_by_line_each_with_a_way_to_mend_it() -> None:
    lines = {
        UNTIL: "until: 2026-06-01T00:00",
        FIRST: "  - {at: 2026-01-31T12:00, do: subscribe, as: s1, customer: nobody, items: [{price: gold}]}",
        SECOND: "  - at: 2026-02-01\n    do: usage\n    subscription: s2\n    price: api\n    quantity: 0.5",
        BASIC: "  basic: {product: Basic, amount: 10.0}",
        CUSTOMERS: "customers: {acme: {payment_method: cash}}",
    }
    assert faults_of(replaced(lines)) == [
        "4 prices.basic.amount float_not_allowed",
        "4 prices.basic.interval missing",
        "10 customers.acme.payment_method unknown_payment_method",
        "12 timeline[0].at time_without_offset",
        "12 timeline[0].customer unknown_customer",
        "12 timeline[0].items[0].price unknown_price",
        "13 timeline[1].id missing",
        "15 timeline[1].subscription unknown_subscription",
        "17 timeline[1].quantity float_not_allowed",
        "18 until time_without_offset",
    ]
    with pytest.raises(ScenarioInvalid) as caught:
        read_scenario(replaced(lines), name="shop.yaml")
    assert all(fault.message for fault in caught.value.faults)
    assert str(caught.value).splitlines()[0].startswith("shop.yaml: line 4: prices.basic.amount: float_not_allowed (")


def test_a_fault_is_told_on_one_line_with_signs_that_show() -> None:
    with pytest.raises(ScenarioInvalid) as caught:
        read_scenario(
            replaced({BASIC: '  "a\\nb\\u202e": {product: P, amount: -1, interval: month}'}), name="test.yaml"
        )
    assert r"prices.a\nb\u202e" in str(caught.value)
    assert len(str(caught.value).splitlines()) == len(caught.value.faults)
