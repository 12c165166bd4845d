"""Expansion: ids in an answer replaced by the objects they name, along the paths that the request lists."""

from __future__ import annotations

from typing import Any

from billing.sandbox.stripe.errors import invalid
from billing.sandbox.stripe.finding import as_it_stands
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.values import Json

MAX_DEPTH = 4
EXPANDABLE = frozenset(
    """customer payment_method latest_charge charge payment_intent balance_transaction latest_attempt setup_intent
    default_payment_method failure_balance_transaction source refunds mandate""".split()
)


def expand(call: Call, body: Json) -> Json:
    """The answer with every path of `expand` expanded. A field that holds no id stays as it is."""
    for path in call.given("expand", []):
        parts = str(path).split(".")
        if len(parts) > MAX_DEPTH + 1 or parts[-1] not in EXPANDABLE:
            raise invalid(f"This property cannot be expanded ({path}).", param="expand")
        _along(call, body, parts)
    return body


def _along(call: Call, within: Any, parts: list[str]) -> None:
    if isinstance(within, list):
        for each in within:
            _along(call, each, parts)
        return
    if not isinstance(within, dict):
        return
    name = parts[0]
    if name == "refunds" and within.get("object") == "charge":
        within["refunds"] = _refunds(call, within["id"])
    if isinstance(within.get(name), str):
        found = call.tx.find(within[name], call.account)
        within[name] = as_it_stands(call, found.body) if found else within[name]
    if len(parts) > 1:
        _along(call, within.get(name), parts[1:])


def _refunds(call: Call, charge: str) -> Json:
    found = call.tx.select("kind = 'refund' and charge = ?", (charge,), limit=11)
    data = [each.body for each in found[:10]]
    return {"object": "list", "data": data, "has_more": len(found) > 10, "url": f"/v1/charges/{charge}/refunds"}
