"""A billing engine: the database is the truth, the queue is a nudge, the provider is asked exactly once.

Hosts in Python take what they need from here: `billing.connect()`, `billing.NewProfile` and so on (`billing.host`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from billing.host import *  # noqa: F403 (what hosts may use is listed there)

_FOR_HOSTS = frozenset(
    """
    Address Billing CancelWhen ChangeWhen Consent Done Fault NewCoupon NewItem NewPrice NewProduct NewProfile
    NewRateChange NewSubscription NewTaxRate NewTier NewUsage Order Personal Preview ProfileChange Proration
    ProviderRefused ProviderUnavailable ProviderUncertain Refused Stale Subscribed Unused connect
    """.split()
)


def __getattr__(name: str) -> Any:
    """Hosts' names are loaded when they are asked for: the engine's own processes never do."""
    if name not in _FOR_HOSTS:
        raise AttributeError(f"module 'billing' has no attribute '{name}'")
    return getattr(import_module("billing.host"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_FOR_HOSTS})
