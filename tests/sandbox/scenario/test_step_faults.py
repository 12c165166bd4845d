"""What a step of the timeline may not say, and what steps may not be to one another."""

from __future__ import annotations

import pytest

from billing.sandbox.scenario.reading import ScenarioInvalid
from billing.sandbox.scenario.timeline import REFUSALS
from tests.sandbox.scenario.files import BASIC, FIRST, SECOND, SETUP, faults_of, read, replaced


def _faults_of_step(step: str) -> list[str]:
    """The faults of a second step, each as `path code`; there are no others."""
    faults = faults_of(replaced({SECOND: f"  - {{{step}}}"}))
    head = f"{SECOND} timeline[1]"
    assert all(fault.startswith(head) for fault in faults), faults
    return [fault.removeprefix(head).removeprefix(".") for fault in faults]


@pytest.mark.parametrize(
    ("step", "faults"),
    [
        ("at: 2026-02-01", ["do missing"]),
        ("at: 2026-02-01, do: dance, subscription: s1", ["do unknown_step"]),
        (
            "at: 2026-02-01T00:00, do: dance, subscripton: s1",
            ["do unknown_step", "at time_without_offset", "subscripton unknown_key"],
        ),
        ("at: 2026-02-01, do: on", ["do boolean_not_allowed"]),
        ("do: pause, subscription: s1", ["at missing"]),
        ("at: 2026-02-01, do: pause", ["subscription missing"]),
        ("at: 2026-02-01 09:00:00, do: pause, subscription: s1", ["at time_without_offset"]),
        ("at: 2026-02-29, do: pause, subscription: s1", ["at not_a_time"]),
        ("at: 1.5, do: pause, subscription: s1", ["at float_not_allowed"]),
        ("at: no, do: pause, subscription: s1", ["at boolean_not_allowed"]),
        ("at: 2026-02-01, do: pause, subscription: s1, until: 2026-03-01", ["until unknown_key"]),
        ("at: 2026-02-01, at: 2026-02-01, do: pause, subscription: s1", ["at key_twice"]),
        ("at: 2026-02-01, do: pause, subscription: on", ["subscription boolean_not_allowed"]),
        ("at: 2026-02-01, do: pause, subscription: [s1]", ["subscription wrong_type"]),
        ("at: 2026-02-01, do: pause, subscription: s2", ["subscription unknown_subscription"]),
        ("at: 2026-01-30, do: pause, subscription: s1", ["subscription not_yet_subscribed"]),
        ("at: 2026-02-01, do: pause, subscription: s1, expect_error: nope", ["expect_error unknown_error_code"]),
        ("at: 2026-02-01, do: pause, subscription: s1, expect_error: yes", ["expect_error boolean_not_allowed"]),
        ("at: 2026-02-01, do: change, subscription: s1, when: later", ["when not_one_of", "items missing"]),
        ("at: 2026-02-01, do: change, subscription: s1, items: []", ["items no_recurring_item"]),
        ("at: 2026-02-01, do: change, subscription: s1, items: null", ["items wrong_type"]),
        ("at: 2026-02-01, do: change, subscription: s1, items: [{price: dollar}]", ["items currency_changed"]),
        (
            "at: 2026-02-01, do: change, subscription: s1, items: [{price: basic}], proration: half",
            ["proration not_one_of"],
        ),
        ("at: 2026-02-01, do: cancel, subscription: s1, prorate: 'yes'", ["prorate wrong_type"]),
        ("at: 2026-02-01, do: set_payment_method, customer: acme", ["payment_method missing"]),
        (
            "at: 2026-02-01, do: set_payment_method, customer: acme, payment_method: cash",
            ["payment_method unknown_payment_method"],
        ),
        ("at: 2026-02-01, do: apply_coupon, subscription: s1, coupon: all", ["coupon unknown_coupon"]),
        ("at: 2026-02-01, do: charge, customer: acme, amount: 5", ["description missing"]),
        ("at: 2026-02-01, do: charge, customer: acme, amount: 5.0, description: A", ["amount float_not_allowed"]),
        ("at: 2026-02-01, do: charge, customer: acme, amount: '0.5', description: A", ["amount not_a_number"]),
        ("at: 2026-02-01, do: charge, customer: acme, amount: -5, description: A", ["amount negative"]),
        ("at: 2026-02-01, do: charge, customer: acme, amount: 5, description: on", ["description boolean_not_allowed"]),
        ("at: 2026-02-01, do: grant_credit, customer: nobody, amount: 5", ["customer unknown_customer"]),
        ("at: 2026-02-01, do: grant_credit, customer: acme, amount: '-5'", ["amount negative"]),
        ("at: 2026-02-01, do: refund, amount: 5", ["invoice missing"]),
        ("at: 2026-02-01, do: refund, invoice: 0", ["invoice out_of_range"]),
        ("at: 2026-02-01, do: refund, invoice: 1, amount: -5", ["amount negative"]),
        ("at: 2026-02-01, do: void, invoice: true", ["invoice boolean_not_allowed"]),
        ("at: 2026-02-01, do: mark_paid, invoice: 1.0", ["invoice float_not_allowed"]),
        ("at: 2026-02-01, do: mark_uncollectible, invoice: first", ["invoice wrong_type"]),
        ("at: 2026-02-01, do: outage", ["until missing"]),
        ("at: 2026-02-01, do: outage, until: 2026-02-01", ["until until_not_later"]),
        ("at: 2026-02-01, do: outage, until: 2026-02-01T12:00:00", ["until time_without_offset"]),
    ],
)
def test_steps(step: str, faults: list[str]) -> None:
    assert _faults_of_step(step) == faults


@pytest.mark.parametrize("do", "uncancel pause resume".split())
def test_steps_on_a_subscription_take_no_more_keys(do: str) -> None:
    assert _faults_of_step(f"at: 2026-02-01, do: {do}, subscription: s1, customer: acme") == ["customer unknown_key"]


@pytest.mark.parametrize("code", REFUSALS)
def test_every_refusal_may_be_expected(code: str) -> None:
    assert _faults_of_step(f"at: 2026-02-01, do: void, invoice: 9, expect_error: {code}") == []


@pytest.mark.parametrize("step", ["", "pause", "3", "[pause]"])
def test_what_is_no_step(step: str) -> None:
    code = "do missing" if not step else "wrong_type"
    faults = faults_of(replaced({SECOND: f"  - {step}"}))
    assert faults == [f"{SECOND} timeline[1]{'.' if not step else ' '}{code}"]


@pytest.mark.parametrize(
    ("items", "faults"),
    [
        ("{price: basic}", ["items wrong_type"]),
        ("[basic]", ["items[0] wrong_type"]),
        ("[{quantity: 2}]", ["items[0].price missing"]),
        ("[{price: basic, amount: 2}]", ["items[0].amount unknown_key"]),
        ("[{price: gold}]", ["items[0].price unknown_price"]),
        ("[{price: on}]", ["items[0].price boolean_not_allowed"]),
        ("[{price: basic, quantity: 0}]", ["items[0].quantity out_of_range"]),
        ("[{price: basic, quantity: -1}]", ["items[0].quantity negative"]),
        ("[{price: basic, quantity: 1.0}]", ["items[0].quantity float_not_allowed"]),
        ("[{price: basic, quantity: yes}]", ["items[0].quantity boolean_not_allowed"]),
        ("[{price: basic, quantity: '2'}]", ["items[0].quantity wrong_type"]),
        ("[{price: basic}, {price: api, quantity: 1}]", ["items[1].quantity quantity_on_metered"]),
        ("[{price: basic}, {price: basic}]", ["items[1].price price_twice"]),
        ("[{price: setup}]", ["items no_recurring_item"]),
        ("[{price: basic}, {price: yearly}]", ["items[1].price intervals_differ"]),
        ("[{price: basic}, {price: dollar}]", ["items[1].price currencies_differ"]),
        ("[{price: dollar}, {price: setup}]", ["items[1].price currencies_differ"]),
        (
            "[{price: yearly}, {price: gold}, {price: api}]",
            ["items[1].price unknown_price", "items[2].price intervals_differ"],
        ),
    ],
)
def test_items(items: str, faults: list[str]) -> None:
    assert _faults_of_step(f"at: 2026-02-01, do: subscribe, as: s2, customer: acme, items: {items}") == faults


@pytest.mark.parametrize(
    ("price", "faults"),
    [
        ("amount: 999999", []),
        ("amount: 1000000", [f"{FIRST} timeline[0].items[0].quantity amount_too_large"]),
        (
            "model: volume, tiers: [{up_to: 5, unit: 1}, {up_to: inf, unit: 1000000}]",
            [f"{FIRST} timeline[0].items[0].quantity amount_too_large"],
        ),
        ("model: package, package_size: 1, amount: 999999", []),
        ("model: package, amount: 1000000", [f"{BASIC} prices.basic.package_size missing"]),
    ],
)
def test_a_line_holds_what_an_item_costs(price: str, faults: list[str]) -> None:
    items = "[{price: basic, quantity: 1000000000}]"
    lines = {
        BASIC: f"  basic: {{product: Basic, interval: month, {price}}}",
        FIRST: f"  - {{at: 2026-01-31, do: subscribe, as: s1, customer: acme, items: {items}}}",
    }
    assert faults_of(replaced(lines)) == faults


def test_a_period_costs_what_a_line_holds() -> None:
    lines = {
        BASIC: "  basic: {product: Basic, interval: month, amount: 600000000000000}",
        SETUP: "  setup: {product: Set-up, interval: null, amount: 600000000000000}",
        FIRST: "  - {at: 2026-01-31, do: subscribe, as: s1, customer: acme, items: [{price: basic}, {price: setup}]}",
    }
    assert faults_of(replaced(lines)) == [f"{FIRST} timeline[0].items amount_too_large"]


@pytest.mark.parametrize(
    ("quantity", "faults"),
    [
        ("'0.123456789012345678901234567891'", []),
        ("1000000000000000", ["quantity out_of_range"]),
        ("-1", ["quantity negative"]),
    ],
)
def test_a_quantity_of_usage(quantity: str, faults: list[str]) -> None:
    lines = {
        FIRST: "  - {at: 2026-01-31, do: subscribe, as: s1, customer: acme, items: [{price: basic}, {price: api}]}",
        SECOND: f"  - {{at: 2026-02-01, do: usage, subscription: s1, price: api, quantity: {quantity}, id: u}}",
    }
    assert faults_of(replaced(lines)) == [f"{SECOND} timeline[1].{fault}" for fault in faults]


def test_count_is_part_of_the_rhythm() -> None:
    lines = {
        6: "  quarterly: {product: Q, amount: 1, interval: month, count: 3}",
        FIRST: "  - {at: 2026-02-01, do: subscribe, as: s, customer: acme, items: [{price: api}, {price: quarterly}]}",
    }
    assert faults_of(replaced(lines)) == [f"{FIRST} timeline[0].items[1].price intervals_differ"]


@pytest.mark.parametrize(
    ("keys", "faults"),
    [
        ("as: on", ["as boolean_not_allowed"]),
        ("as: 1.5", ["as float_not_allowed"]),
        ("as: s1", ["as subscription_twice"]),
        ("as: s2, trial_days: -1", ["trial_days negative"]),
        ("as: s2, trial_days: '7'", ["trial_days wrong_type"]),
        ("as: s2, trial_days: 7, anchor: 2026-02-15", ["trial_days trial_with_anchor"]),
        ("as: s2, anchor: 2026-02-01", ["anchor anchor_not_later"]),
        ("as: s2, anchor: 2026-01-15", ["anchor anchor_not_later"]),
        ("as: s2, anchor: 2026-03-01T00:00:00Z", []),
        ("as: s2, anchor: 2026-03-01T00:00:01Z", ["anchor anchor_too_late"]),
        ("as: s2, anchor: 2026-02-15T00:00:00", ["anchor time_without_offset"]),
        ("as: s2, coupon: all", ["coupon unknown_coupon"]),
        ("as: s2, collection: cash", ["collection not_one_of"]),
        ("as: s2, collection: off", ["collection boolean_not_allowed"]),
        ("as: s2, days_until_due: 1.5", ["days_until_due float_not_allowed"]),
        ("as: s2, trial: 7", ["trial unknown_key"]),
        ("trial_days: 7", ["as missing"]),
    ],
)
def test_subscribing(keys: str, faults: list[str]) -> None:
    step = f"at: 2026-02-01, do: subscribe, customer: acme, items: [{{price: basic}}], {keys}"
    assert _faults_of_step(step) == faults


@pytest.mark.parametrize(
    ("keys", "faults"),
    [
        ("subscription: s1, price: api, quantity: 1", ["id missing"]),
        ("subscription: s1, price: gold, quantity: 1, id: u", ["price unknown_price"]),
        ("subscription: s2, price: api, quantity: 1, id: u", ["subscription unknown_subscription"]),
        ("subscription: s1, price: api, quantity: 1.5, id: u", ["quantity float_not_allowed"]),
        ("subscription: s1, price: api, quantity: on, id: u", ["quantity boolean_not_allowed"]),
        ("subscription: s1, price: api, quantity: -1, id: u", ["quantity negative"]),
        ("subscription: s1, price: api, quantity: '-0.5', id: u", ["quantity negative"]),
        ("subscription: s1, price: api, quantity: many, id: u", ["quantity not_a_number"]),
        ("subscription: s1, price: api, quantity: 1:30, id: u", ["quantity not_a_number"]),
        ("subscription: s1, price: api, quantity: 1, id: no", ["id boolean_not_allowed"]),
        (
            "subscription: s1, price: api, quantity: 1, id: u, timestamp: 2026-02-01T00:00:00",
            ["timestamp time_without_offset"],
        ),
    ],
)
def test_usage(keys: str, faults: list[str]) -> None:
    assert _faults_of_step(f"at: 2026-02-01, do: usage, {keys}") == faults


def test_a_subscription_is_there_from_its_own_line_on() -> None:
    usage = "  - {at: 2026-01-31, do: usage, subscription: s1, price: api, quantity: 1, id: u}"
    subscribe = replaced({}).splitlines()[FIRST - 1]
    assert faults_of(replaced({FIRST: f"{subscribe}\n{usage}"})) == []
    assert faults_of(replaced({FIRST: f"{usage}\n{subscribe}"})) == [
        f"{FIRST} timeline[0].subscription not_yet_subscribed"
    ]


def test_what_hangs_on_a_faulty_value_is_no_fault_of_its_own() -> None:
    steps = """\
  - {at: 2026-01-31, do: subscrib, as: s1, customer: acme, items: [{price: basic}]}
  - {at: 2026-02-01, do: pause, subscription: s1}"""
    assert faults_of(replaced({FIRST: steps})) == [f"{FIRST} timeline[0].do unknown_step"]
    assert faults_of(replaced({4: "  basic: {product: B, amount: 1.5, interval: month}"})) == [
        "4 prices.basic.amount float_not_allowed"
    ]
    assert faults_of(replaced({2: "seller: {country: DE, currency: EUR}"})) == ["2 seller.currency unknown_currency"]


@pytest.mark.parametrize(
    ("step", "faults"),
    [
        (
            "do: subscribe, as: s2, customer: acme, items: [{price: basic, quantity: 0}], anchor: 2026-09-01",
            ["items[0].quantity out_of_range", "anchor anchor_too_late"],
        ),
        (
            "do: subscribe, as: s2, customer: acme, items: [{price: basic}, {price: yearly}], anchor: 2026-09-01",
            ["items[1].price intervals_differ"],
        ),
        (
            "do: change, subscription: s1, items: [{price: dollar}, {price: gold}, 7]",
            ["items[1].price unknown_price", "items[2] wrong_type", "items currency_changed"],
        ),
    ],
)
def test_a_fault_of_one_item_hides_none_of_the_step(step: str, faults: list[str]) -> None:
    assert _faults_of_step(f"at: 2026-02-01, {step}") == faults


@pytest.mark.parametrize(
    ("line", "mend"),
    [
        ("quantity: 1.5, do: usage, subscription: s1, price: api, id: u", 'put it in quotes: "1.5"'),
        ("do: usage, subscription: s1, price: api, id: no, quantity: 1", 'put it in quotes: "no"'),
        ("do: mark_paid, invoice: 1.5", "give a whole number, without quotes"),
        ("do: charge, customer: acme, amount: 1.5, description: A", "give a whole number, without quotes"),
    ],
)
def test_quotes_are_advised_where_what_stands_in_them_is_taken(line: str, mend: str) -> None:
    with pytest.raises(ScenarioInvalid) as invalid:
        read({SECOND: f"  - {{at: 2026-02-01, {line}}}"})
    assert [fault.message.rpartition("; ")[2] for fault in invalid.value.faults] == [mend]
