"""Alerts and work items have their pages, and the examples speak only of metrics that `/metrics` tells of."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from billing.commands.difference.note import ACTIONS
from billing.flows.measuring import GAUGES
from billing.kernel.work import WorkKind, page_of
from tests.docs.operate_index import INDEX, index, pages

ROOT = Path(__file__).parents[2]
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "examples" / "prometheus" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
BOARD = json.loads((ROOT / "examples" / "grafana" / "billing.json").read_text())
METRIC = re.compile(r"\bbilling_\w+")


def test_every_metric_of_the_rules_and_of_the_dashboard_is_told() -> None:
    rules = {name for rule in RULES for name in METRIC.findall(rule["expr"])}
    board = {name for panel in BOARD["panels"] for each in panel["targets"] for name in METRIC.findall(each["expr"])}
    assert len(rules) > 10
    assert len(board) > 10
    assert (rules | board) - set(GAUGES) == set()


def test_every_alert_says_what_is_wrong_and_where_that_is_explained() -> None:
    for rule in RULES:
        assert rule["annotations"]["summary"], rule["alert"]
        name = re.sub(r"(?<!^)(?=[A-Z])", "-", rule["alert"]).lower()
        assert rule["annotations"]["runbook"] == f"docs/operate/{name}.md"


def test_every_alert_and_every_kind_of_work_has_its_page_and_no_page_is_of_nothing() -> None:
    wanted = {rule["annotations"]["runbook"] for rule in RULES} | {page_of(kind) for kind in WorkKind}
    found = {str(path.relative_to(ROOT)) for path in pages()}
    assert wanted - found == set()
    assert {name for name in found - wanted if name.startswith("docs/operate/billing-")} == set()


def test_a_page_of_a_difference_names_what_may_safely_be_done() -> None:
    for kind, (_, actions) in ACTIONS.items():
        safe = next(part for part in (ROOT / page_of(kind)).read_text().split("\n\n") if part.startswith("**Safe:**"))
        assert set(re.findall(r"`(\w+)`", safe)) == set(actions), kind


def test_every_page_says_what_is_safe_and_the_index_is_made_of_them() -> None:
    for path in pages():
        text = path.read_text()
        assert "**Safe:**" in text or path.name not in {Path(page_of(kind)).name for kind in WorkKind}, path.name
        assert "```sh\n" in text, path.name
    assert INDEX.read_text() == index(), "write it anew: python -m tests.docs.operate_index"


def test_a_page_names_only_pages_and_examples_that_there_are() -> None:
    for path in pages():
        text = path.read_text()
        for name in re.findall(r"`((?:[\w-]+)\.md)`", text):
            assert (path.parent / name).is_file() or (ROOT / "docs" / name).is_file(), (path.name, name)
        for name in re.findall(r"`(examples/[\w./-]+)`", text):
            assert (ROOT / name).exists(), (path.name, name)
        for alert in re.findall(r"`(billing-[\w-]+)`", text):
            assert (path.parent / f"{alert}.md").is_file(), (path.name, alert)
