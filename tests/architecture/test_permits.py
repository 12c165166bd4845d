"""No call leaves without a permit: an adapter is reached only through `Parts.provider`, which meters every call."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from inspect import getmembers, isfunction
from pathlib import Path

import pytest

from billing.flows.metered import Metered
from billing.providers.port import Provider

ROOT = Path(__file__).parents[2] / "billing"
UNMETERED = {
    "flows/parts.py": "hands out metered ones",
    "flows/receiving.py": "verifies a delivery, which asks nobody",
    "flows/start.py": "asks whose key it is before there is a row to meter by",
    "flows/health.py": "asks the same for `billing check`, also where nothing is migrated",
    "wiring.py": "makes the adapters",
    "sandbox/scenario/playing/wallet.py": "makes an adapter of a played scenario",
    "sandbox/scenario/playing/stage.py": "makes an adapter of a played scenario",
}


def reaches_for_an_adapter(source: str) -> bool:
    """Whether the code names what hands out adapters, or makes one."""
    return any(
        (isinstance(node, ast.Attribute) and node.attr == "provider_for")
        or (isinstance(node, ast.keyword) and node.arg == "provider_for")
        or (isinstance(node, ast.Name) and node.id in ("StripeProvider", "PayPalProvider"))
        for node in ast.walk(ast.parse(source))
    )


def rooms() -> Iterator[tuple[str, str]]:
    for path in sorted(ROOT.rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith("providers/"):
            yield name, path.read_text()


def test_only_these_reach_an_adapter_past_the_meter() -> None:
    assert {name for name, source in rooms() if reaches_for_an_adapter(source)} == set(UNMETERED)


@pytest.mark.parametrize(
    "planted",
    [
        "def f(parts):\n    return parts.provider_for('stripe', 'default').read_intent('pi_1')",
        "ask = parts.provider_for",
        "StripeProvider(client=client, livemode=False).read_intent('pi_1')",
    ],
)
def test_a_planted_call_past_the_meter_is_seen(planted: str) -> None:
    assert reaches_for_an_adapter(planted)


def test_every_call_of_the_port_is_metered() -> None:
    port = {name for name, _ in getmembers(Provider, isfunction) if not name.startswith("_")}
    metered = {name for name in vars(Metered) if not name.startswith("_")}
    assert port <= metered
    spent = {name for name in port if names_in(name) & {"_ask", "_pages", "_page_by_page"}}
    assert port - spent == {"verify_event", "get_ready", "charge", "step_minor"}
    assert {"one", "tell"} <= names_in("charge")


def names_in(method: str) -> set[str]:
    code = vars(Metered)[method].__code__
    return set(code.co_names)
