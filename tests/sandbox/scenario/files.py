"""A small valid scenario file, of which a test replaces single lines."""

from __future__ import annotations

from billing.sandbox.scenario.model import Scenario
from billing.sandbox.scenario.reading import ScenarioInvalid, read_scenario

FILE = """\
scenario: 1
seller: {country: DE, currency: eur, tax_rates: {standard: {percent: "19"}}}
prices:
  basic: {product: Basic, amount: 1000, interval: month}
  api: {product: API calls, amount: "0.05", interval: month, usage: sum}
  yearly: {product: Yearly, amount: 9000, interval: year}
  dollar: {product: Dollar, amount: 1000, interval: month, currency: usd}
  setup: {product: Set-up, amount: 5000, interval: null}
coupons: {half: {percent: "50"}}
customers: {acme: {payment_method: visa}}
timeline:
  - {at: 2026-01-31, do: subscribe, as: s1, customer: acme, items: [{price: basic}]}
  -
until: 2026-06-01
"""
VERSION, SELLER, PRICES, BASIC, API, SETUP = 1, 2, 3, 4, 5, 8
COUPONS, CUSTOMERS, TIMELINE, FIRST, SECOND, UNTIL = range(9, 15)
"""The lines of `FILE`, from 1."""


def replaced(lines: dict[int, str]) -> str:
    """`FILE` with other text for some of its lines, by their numbers. The second step is there only where given."""
    texts = dict(enumerate(FILE.splitlines(), start=1))
    texts[SECOND] = "  # no second step"
    return "".join(f"{text}\n" for text in (texts | lines).values())


def read(lines: dict[int, str]) -> Scenario:
    """What `FILE` says with these lines."""
    return read_scenario(replaced(lines), name="test.yaml")


def faults_of(text: str) -> list[str]:
    """Each fault of a file, as `line path code`; none where it is valid."""
    try:
        read_scenario(text, name="test.yaml")
    except ScenarioInvalid as invalid:
        return [f"{fault.line} {fault.path} {fault.code}" for fault in invalid.faults]
    return []
