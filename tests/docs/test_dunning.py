"""The page on dunning: its tables are the rules, and its scenarios come to what it says."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from billing.rules import card_limit
from billing.rules.dunning import _DATA as DATA
from billing.rules.dunning import _FRAUD as FRAUD
from billing.rules.dunning import _HARD as HARD
from billing.rules.dunning import DeclineClass, classify
from tests.docs.receipts import played
from tests.docs.test_examples import blocks

PAGE = Path(__file__).parents[2] / "docs" / "dunning.md"
SCENARIOS = blocks(PAGE, "yaml")


def rows(heading: str) -> list[list[str]]:
    """The first table under a heading, without its head."""
    section = PAGE.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_codes_of_each_class_are_those_of_the_rules() -> None:
    codes = {name: set(re.findall(r"`(\w+)`", said)) for name, said in rows("What a decline means")}
    assert codes["hard"] | codes["authentication"] == HARD
    assert (codes["data"], codes["fraud"]) == (DATA, FRAUD)
    for name, known in codes.items():
        assert {classify(code) for code in known} == {DeclineClass(name)}


def test_the_limits_of_each_network_are_those_of_the_rules() -> None:
    said: dict[str, list[card_limit.Limit]] = {}
    for network, tries, within in rows("What the card networks allow"):
        number, unit = within.split()
        said.setdefault(network, []).append(card_limit.Limit(int(tries), timedelta(**{unit: int(number)})))
    for network, limits in said.items():
        assert tuple(limits) == card_limit.limits_of(network), network


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_comes_to_what_the_page_says(name: str, database_url: str) -> None:
    told, _ = played(SCENARIOS[name], database_url)
    assert told["audit"]["violations"] == []
    assert "".join(f"{line}\n" for line in _lines(told)) == blocks(PAGE, "text")[name]


def _lines(told: dict[str, Any]) -> list[str]:
    tries = [f"{each['at'][:10]} {each['status']} {each['decline_code'] or ''}".rstrip() for each in told["payments"]]
    return tries + [f"{name} is {each['status']}" for name, each in told["subscriptions"].items()]
