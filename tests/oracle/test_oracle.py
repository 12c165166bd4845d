"""The reference plays the contract's examples as they say, and what it makes of random scenarios holds together."""

import copy
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.oracle import invariants
from tests.oracle.compare import differences
from tests.oracle.generate import scenario
from tests.oracle.play import play

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "scenarios").glob("*.yaml"))
SEEDS = range(40)


@cache
def played(seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    body = scenario(seed)
    return body, play(body)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_gives_what_its_json_says(path: Path) -> None:
    body = yaml.safe_load(path.read_text(encoding="utf-8"))
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert differences(expected, play(body)) == []


def test_no_example_is_missing() -> None:
    assert len(EXAMPLES) == 21


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_scenario_holds_together(seed: int) -> None:
    body, output = played(seed)
    assert invariants.broken(scenario=body, output=output) == []


@pytest.mark.parametrize("seed", range(5))
def test_a_seed_gives_one_scenario_also_through_yaml(seed: int) -> None:
    body, output = played(seed)
    assert scenario(seed) == body
    assert differences(output, play(yaml.safe_load(yaml.safe_dump(body)))) == []


def _documents(output: dict[str, Any], **facts: Any) -> list[dict[str, Any]]:
    return [d for d in output["invoices"] if all(d[name] == value for name, value in facts.items())]


def _add(name: str, **facts: Any) -> Callable[[dict[str, Any]], None]:
    def spoil(output: dict[str, Any]) -> None:
        _documents(output, **facts)[0][name] += 1

    return spoil


def _line(name: str, value: Any, *, kind: str) -> Callable[[dict[str, Any]], None]:
    def spoil(output: dict[str, Any]) -> None:
        next(line for d in output["invoices"] for line in d["lines"] if line["kind"] == kind)[name] = value

    return spoil


def _charge_twice(output: dict[str, Any]) -> None:
    output["payments"] += [p for p in output["payments"] if p["status"] == "succeeded"]


def _lose_a_refund(output: dict[str, Any]) -> None:
    output["payments"].remove(next(p for p in output["payments"] if p["status"] == "refunded"))


def _more_net(output: dict[str, Any]) -> None:
    net = output["provider"]["net_charged"]
    net[next(iter(net))] += 1


def _more_credit(output: dict[str, Any]) -> None:
    balances = next(iter(output["customers"].values()))["credit_balances"]
    balances[next(iter(balances))] -= 1


def _backwards(output: dict[str, Any]) -> None:
    assert output["invoices"][0]["issued_at"] < output["invoices"][-1]["issued_at"]
    output["invoices"].reverse()


def _refuse(output: dict[str, Any]) -> None:
    output["refusals"].append({"step": 1, "at": "", "do": "subscribe", "code": "invoice_not_found"})


SPOILERS = {
    invariants.lines_make_the_subtotal: _line("amount", 10**9, kind="recurring"),
    invariants.shares_make_the_discount: _line("discount", 10**9, kind="recurring"),
    invariants.totals_add_up: _add("total", status="paid"),
    invariants.what_is_due_is_the_rest: _add("credit_applied", status="paid"),
    invariants.paid_means_paid_once: _charge_twice,
    invariants.refunds_are_noted: _lose_a_refund,
    invariants.net_charged_is_what_moved: _more_net,
    invariants.balances_are_what_flowed: _more_credit,
    invariants.usage_is_billed_at_most_once: _line("quantity", "1000000000", kind="usage"),
    invariants.documents_and_payments_are_in_order: _backwards,
    invariants.lines_lie_the_right_way: _line("amount", -1, kind="recurring"),
    invariants.refusals_were_expected: _refuse,
}


@pytest.mark.parametrize("check", invariants.CHECKS, ids=lambda check: check.__name__)
def test_each_invariant_can_break(check: Callable[..., Any]) -> None:
    """In some of the seeds, a spoiled output is found out by the check that is meant to."""
    found = 0
    for seed in SEEDS:
        body, output = played(seed)
        spoiled = copy.deepcopy(output)
        try:
            SPOILERS[check](spoiled)
        except (AssertionError, IndexError, StopIteration):
            continue
        found += bool(list(check(scenario=body, output=spoiled)))
    assert found
