"""The engine against the oracle: scenarios at random must come to the same, document by document."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import yaml

from billing.sandbox.scenario.model import Scenario
from billing.sandbox.scenario.playing.player import play
from billing.sandbox.scenario.playing.told import tell
from billing.sandbox.scenario.reading import read_scenario
from tests.oracle.compare import differences
from tests.oracle.generate import scenario
from tests.oracle.play import play as oracle
from tests.stages import staged

SEEDS = range(1000, 1030)
"""Some of many: `python -m tests.oracle.fuzz FIRST LAST` plays as many as there is time for."""


def readable(spec: dict[str, Any]) -> Scenario:
    """As it would stand in a file."""
    return read_scenario(yaml.safe_dump(spec, sort_keys=False), name="random.yaml")


def played(spec: dict[str, Any], database_url: str) -> dict[str, Any]:
    """What the engine makes of it."""
    read = readable(spec)
    first = min((step.at for step in read.steps), default=read.until)
    with staged(database_url, now=first) as stage:
        return tell(play(read, stage))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_engine_and_the_oracle_agree(seed: int, database_url: str) -> None:
    spec = scenario(seed)
    assert differences(oracle(spec), played(spec, database_url)) == []


@pytest.fixture
def _spoiled(monkeypatch: pytest.MonkeyPatch) -> None:
    from billing.rules import proration  # noqa: PLC0415 (the one that the engine uses, spoiled for a moment)

    honest = proration.span
    monkeypatch.setattr(proration, "span", lambda unit, zone, start, end: honest(unit, zone, start, end) + 86_400)


@pytest.mark.usefixtures("_spoiled")
def test_a_rule_that_is_off_by_a_day_is_found_out(database_url: str) -> None:
    spec: dict[str, Any] = {
        "scenario": 1,
        "seller": {"country": "DE", "currency": "eur"},
        "prices": {"a": {"product": "A", "amount": 3000, "interval": "month"}},
        "customers": {"c": {"payment_method": "visa"}},
        "timeline": [
            {"at": "2026-06-01", "do": "subscribe", "as": "s", "customer": "c", "items": [{"price": "a"}]},
            {"at": "2026-06-16", "do": "cancel", "subscription": "s", "prorate": True},
        ],
        "until": "2026-06-17",
    }
    assert differences(oracle(spec), played(spec, database_url)) != []


_AT_ONCE = [
    {"at": "2026-06-20T12:00:00Z", "do": "usage", "subscription": "s", "price": "u", "quantity": 40, "id": "u1"},
    {"at": "2026-06-20T12:00:00Z", "do": "pause", "subscription": "s"},
    {"at": "2026-06-20T12:00:00Z", "do": "usage", "subscription": "t", "price": "u", "quantity": 7, "id": "u2"},
]


def _sums(told: dict[str, Any]) -> list[tuple[str, int]]:
    return sorted((document["subscription"], document["total"]) for document in told["invoices"])


@pytest.mark.parametrize("order", list(itertools.permutations(range(3)))[1:])
def test_no_order_of_steps_at_one_time_changes_a_total(order: tuple[int, ...], database_url: str) -> None:
    items = [{"price": "a"}, {"price": "u"}]
    spec: dict[str, Any] = {
        "scenario": 1,
        "seller": {"country": "DE", "currency": "eur"},
        "prices": {
            "a": {"product": "A", "amount": 3000, "interval": "month"},
            "u": {"product": "U", "amount": 10, "interval": "month", "usage": "sum"},
        },
        "customers": {"c": {"payment_method": "visa"}},
        "timeline": [
            {"at": "2026-06-01", "do": "subscribe", "as": "s", "customer": "c", "items": items},
            {"at": "2026-06-01", "do": "subscribe", "as": "t", "customer": "c", "items": items},
            *(_AT_ONCE[place] for place in order),
            {"at": "2026-07-10", "do": "resume", "subscription": "s"},
        ],
        "until": "2026-08-02",
    }
    assert _sums(played(spec, database_url)) == [
        ("s", 3000),
        ("s", 3000),
        ("t", 3000),
        ("t", 3000),
        ("t", 3070),
    ]


def test_what_a_step_in_an_outage_sets_off_happens_at_once_though_an_older_retry_stands_still(
    database_url: str,
) -> None:
    spec: dict[str, Any] = {
        "scenario": 1,
        "seller": {"country": "DE", "currency": "eur", "dunning": {"retries": ["12h", "36h"], "final": "keep"}},
        "prices": {"a": {"product": "A", "amount": 3000, "interval": "month"}},
        "customers": {"c": {"payment_method": "insufficient_funds"}},
        "timeline": [
            {"at": "2026-06-01", "do": "subscribe", "as": "s", "customer": "c", "items": [{"price": "a"}]},
            {"at": "2026-06-01T01:00:00Z", "do": "outage", "until": "2026-06-20"},
            {"at": "2026-06-03", "do": "charge", "customer": "c", "amount": 700, "description": "Extra work"},
        ],
        "until": "2026-06-17",
    }
    told = played(spec, database_url)
    assert differences(oracle(spec), told) == []
    assert [payment["at"] for payment in told["payments"]] == ["2026-06-01T00:00:00Z", "2026-06-03T00:00:00Z"]
