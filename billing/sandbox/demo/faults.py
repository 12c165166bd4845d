"""What goes wrong at the provider during the demo, as rates: often enough to be met, seldom enough to be true."""

from __future__ import annotations

from typing import Any

CHARGES = {"stripe": "/v1/payment_intents", "paypal": "/v2/checkout/orders"}
"""Where each provider is asked for money."""

_CHARGED: tuple[dict[str, Any], ...] = (
    {"kind": "timeout_after", "rate": 0.010, "method": "POST"},
    {"kind": "timeout_before", "rate": 0.005, "method": "POST"},
    {"kind": "error_500_after", "rate": 0.010, "method": "POST"},
    {"kind": "error_500_before", "rate": 0.010, "method": "POST"},
    {"kind": "rate_limit", "rate": 0.020},
)
_TOLD: tuple[dict[str, Any], ...] = (
    {"kind": "webhook_duplicate", "rate": 0.050},
    {"kind": "webhook_reorder", "rate": 0.050},
    {"kind": "webhook_drop", "rate": 0.050},
    {"kind": "webhook_delay", "rate": 0.050, "ms": 400},
)
"""`timeout_after`: the money moved, and nobody is told. `webhook_drop`: the event is never delivered."""


def faults_of(provider: str) -> list[dict[str, Any]]:
    """All of them, at the paths of this provider."""
    return [*({**each, "path": CHARGES[provider]} for each in _CHARGED), *_TOLD]
