"""The examples for Prometheus and Grafana speak of metrics that `/metrics` tells of, and of pages that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from billing.flows.measuring import GAUGES

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
