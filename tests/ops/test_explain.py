"""`billing invoice show NUMBER --explain`: every kind of line and document, as real flows have written them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from billing import wiring
from billing.__main__ import cli
from billing.kernel.money import format_minor
from billing.privacy.keyring import generate
from billing.sandbox.scenario.playing.player import play
from billing.sandbox.scenario.playing.told import tell
from billing.sandbox.scenario.reading import read_scenario
from tests.stages import staged

FILE = """
scenario: 1
seller:
  country: DE
  currency: eur
  tax_rates: {standard: {percent: "19"}, gross: {percent: "7", inclusive: true}}
prices:
  basic: {product: Basic, amount: 3000, interval: month}
  plus: {product: Plus, amount: 6000, interval: month}
  book: {product: Book, amount: 1000, interval: month, tax_rate: gross}
  setup: {product: Set-up, amount: 5000, interval: null}
  api:
    product: API calls
    interval: month
    usage: sum
    model: graduated
    tiers: [{up_to: 1000, unit: 0}, {up_to: inf, unit: "0.5"}]
  peak: {product: Peak, amount: 100, interval: month, usage: max}
coupons: {tenth: {percent: 10, duration: forever}}
customers:
  acme: {payment_method: visa}
  loss: {payment_method: declined}
timeline:
  - at: 2026-06-01
    do: subscribe
    as: s1
    customer: acme
    items: [{price: basic, quantity: 2}, {price: book}, {price: setup}, {price: api}, {price: peak}]
    coupon: tenth
  - {at: 2026-06-05, do: usage, subscription: s1, price: api, quantity: 1200, id: u-1}
  - {at: 2026-06-12, do: change, subscription: s1, items: [{price: plus}, {price: book}, {price: api}, {price: peak}]}
  - {at: 2026-07-02, do: usage, subscription: s1, price: peak, quantity: 9, id: u-2, timestamp: 2026-06-20}
  - {at: 2026-07-03, do: refund, invoice: 1, amount: 1000}
  - {at: 2026-07-16, do: cancel, subscription: s1, prorate: true}
  - {at: 2026-07-20, do: charge, customer: loss, amount: 700, description: Help}
  - {at: 2026-07-20, do: void, invoice: 4}
until: 2026-07-21
"""

SENTENCES = [
    ("SCENARIO-000001", "1. Set-up: charged once\n   1 Set-up: 1 at 50.00 EUR each = 50.00 EUR\n"),
    ("SCENARIO-000001", "   less 6.00 EUR, its share of the discount = 54.00 EUR\n"),
    ("SCENARIO-000001", "Total: 120.00 EUR - 12.00 EUR + 18.81 EUR = 126.81 EUR\nDue: 126.81 EUR\n"),
    (
        "SCENARIO-000002",
        (
            "1. Basic: given back, 2026-06-12 to 2026-07-01\n   19 of 30 days left (1,641,600 of 2,592,000 seconds) of "
            "the 54.00 EUR charged by SCENARIO-000001 = -34.20 EUR\n"
        ),
    ),
    (
        "SCENARIO-000002",
        "   1,200 API calls: the first 1,000 at 0 each, the next 200 at 0.005 EUR each = 1.00 EUR\n",
    ),
    ("SCENARIO-000002", "   late usage: 1 record came too late to count; see `billing usage late`\n"),
    ("SCENARIO-000002", "Tax 19 % of 54.90 EUR = 10.431 EUR, rounded half away from zero to 10.43 EUR\n"),
    ("SCENARIO-CN-000001", "10.00 EUR goes back to the payment method that paid invoice SCENARIO-000001.\n"),
    ("SCENARIO-CN-000002", "   on a credit note with its sign turned: 27.87 EUR\n"),
    ("SCENARIO-CN-000002", "37.82 EUR goes into the customer's credit, which later invoices use first.\n"),
    ("SCENARIO-CN-000003", "Nothing is owed on invoice SCENARIO-000004 any more.\n"),
]

Run = Callable[..., Result]


@pytest.fixture
def told(database_url: str) -> dict[str, Any]:
    """What was played; the documents stay in the database."""
    scenario = read_scenario(FILE, name="explain.yaml")
    with staged(database_url, now=scenario.steps[0].at) as stage:
        outcome = tell(play(scenario, stage))
    assert (outcome["refusals"], outcome["audit"]["violations"]) == ([], [])
    return outcome


@pytest.fixture
def explain(told: dict[str, Any], database_url: str, broker_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    values = {
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "STRIPE_API_KEY": "sk_test_explain",
        "BILLING_SECRET_KEY": generate(),
        "BILLING_SANDBOX": "1",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    wiring.current.cache_clear()
    yield lambda *args: CliRunner().invoke(cli, ["invoice", "show", *args, "--explain"], prog_name="billing")
    if wiring.current.cache_info().currsize:
        wiring.current().sessions.kw["bind"].dispose()
    wiring.current.cache_clear()


def test_every_document_of_a_life_is_told_in_words(told: dict[str, Any], explain: Run) -> None:
    said = {each["number"]: explain(each["number"]).output for each in told["invoices"]}
    assert "does not fit" not in str(said)
    assert "no account" not in str(said)
    kinds = {line["kind"] for each in told["invoices"] for line in each["lines"]}
    assert kinds == {"recurring", "usage", "proration_credit", "proration_charge", "one_off"}
    for each in told["invoices"]:
        assert said[each["number"]].count("\n   tax: ") == len(each["lines"])
        assert f"{format_minor(each['total'], 'eur')}\n" in said[each["number"]]


def test_what_it_says(explain: Run) -> None:
    said = {number: explain(number).output for number, _ in SENTENCES}
    assert [sentence for number, sentence in SENTENCES if sentence not in said[number]] == []


def test_programs_get_the_sentences_as_a_list_and_nothing_personal_is_told(explain: Run) -> None:
    told = json.loads(explain("SCENARIO-000004", "--json").stdout)
    assert told[-1] == "Due: 8.33 EUR"
    refused = explain("SCENARIO-000004", "--parties", "--reason", "a dispute")
    assert refused.exit_code == 2
    assert "it goes without --parties" in refused.stderr
