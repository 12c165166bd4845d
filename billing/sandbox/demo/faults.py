"""What goes wrong at the provider during the demo, as rates: often enough to be met, seldom enough to be true."""

from __future__ import annotations

from typing import Any

_CHARGES = "/v1/payment_intents"

FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "timeout_after", "rate": 0.010, "path": _CHARGES, "method": "POST"},
    {"kind": "timeout_before", "rate": 0.005, "path": _CHARGES, "method": "POST"},
    {"kind": "error_500_after", "rate": 0.010, "path": _CHARGES, "method": "POST"},
    {"kind": "error_500_before", "rate": 0.010, "path": _CHARGES, "method": "POST"},
    {"kind": "rate_limit", "rate": 0.020, "path": _CHARGES},
    {"kind": "webhook_duplicate", "rate": 0.050},
    {"kind": "webhook_reorder", "rate": 0.050},
    {"kind": "webhook_drop", "rate": 0.050},
    {"kind": "webhook_delay", "rate": 0.050, "ms": 400},
)
"""`timeout_after`: the money moved, and nobody is told. `webhook_drop`: the event is never delivered."""
