"""Scenarios in short: a line a step, one seller, one customer `c`, a subscription `s` unless said, in the year 2026."""

from typing import Any

PRICES = {
    "a": {"product": "A", "amount": 3000, "interval": "month"},
    "b": {"product": "B", "amount": 6000, "interval": "month"},
    "y": {"product": "Y", "amount": 36500, "interval": "year"},
    "u": {"product": "U", "amount": 5, "interval": "month", "usage": "sum"},
    "m": {"product": "M", "amount": 7, "interval": "month", "usage": "max"},
    "l": {"product": "L", "amount": 7, "interval": "month", "usage": "last"},
    "w": {"product": "W", "amount": 250, "interval": "week"},
    "v": {"product": "V", "amount": 3, "interval": "week", "usage": "sum"},
    "once": {"product": "Set-up", "amount": 500, "interval": None},
}
COUPONS = {"half": {"percent": "50"}, "off": {"amount": 1000, "duration": "repeating", "periods": 2}}


def spec(*steps: str, until: str, method: str | None = "visa", tax: str | None = None, **seller: Any) -> dict[str, Any]:
    """A scenario of steps written as `MM-DD do key=value …`; `items` are `a,b*2`."""
    facts = {"country": "DE", "currency": "eur"} | seller
    if tax:
        facts["tax_rates"] = {"standard": {"percent": tax}}
    return {
        "scenario": 1,
        "seller": facts,
        "prices": PRICES,
        "coupons": COUPONS,
        "customers": {"c": {"payment_method": method}},
        "timeline": [_step(text) for text in steps],
        "until": f"2026-{until}",
    }


_VALUES = {"true": True}


def _step(text: str) -> dict[str, Any]:
    at, do, *rest = text.split()
    step: dict[str, Any] = {"at": f"2026-{at}", "do": do}
    for name, _, value in (entry.partition("=") for entry in rest):
        step[name] = (
            _items(value) if name == "items" else _VALUES.get(value) or (int(value) if value.isdigit() else value)
        )
        if name in {"until", "anchor", "timestamp"}:
            step[name] = f"2026-{value}"
    if do in {"subscribe", "set_payment_method", "charge", "grant_credit"}:
        step["customer"] = "c"
    if do == "subscribe":
        step.setdefault("as", "s")
    elif do in {"change", "cancel", "uncancel", "pause", "resume", "usage", "apply_coupon"}:
        step.setdefault("subscription", "s")
    return step


def _items(text: str) -> list[dict[str, Any]]:
    found = []
    for entry in text.split(","):
        name, _, quantity = entry.partition("*")
        found.append({"price": name} | ({"quantity": int(quantity)} if quantity else {}))
    return found
