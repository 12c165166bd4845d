"""The stand-in's knobs and its clock: kept in the store, changed through `/_sandbox/config` and `/_sandbox/clock`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

from billing.sandbox.stripe.errors import invalid
from billing.sandbox.stripe.money import MINIMUMS
from billing.sandbox.stripe.store import Store
from billing.sandbox.stripe.values import Json
from billing.sandbox.stripe.wishes import is_number, is_whole


def _retries() -> list[int]:
    return [500, 1_000, 2_000, 5_000, 15_000, 60_000, 300_000, 900_000, 3_600_000]


@dataclass(slots=True)
class Config:
    """Everything that may differ between runs. Times name their unit; `_s` in the stand-in's clock unless said."""

    max_confirms: int = 10
    """A confirm beyond this many cancels the intent, as Stripe's variable limit does."""
    rate_limit_per_s: float = 0
    """Requests a second and account, in wall time; 0 = no limit."""
    endpoint_limit_per_s: float = 0
    """The same of each operation, such as creating payment intents."""
    latency_ms: int = 0
    """Every answer takes so much longer (wall time)."""
    minimums: bool = True
    """Refuse amounts below Stripe's documented minimums."""
    limits: bool = True
    """Refuse currencies that Stripe has not, amounts above its maximum, and fractions that it has no coin for."""
    minimum_amounts: dict[str, int] = field(default_factory=lambda: dict(MINIMUMS))
    async_capture: bool = True
    """The answer to a capture has no balance transaction yet; `charge.updated` brings it."""
    settlement: dict[str, dict[str, float]] = field(default_factory=dict)
    """What comes to Stripe's balance in another currency than it is charged in: `{"eur": {"usd": 0.92}}`, so many main
    units of the one for a unit of the other, whenever money moves. Other currencies stay what they are."""
    search_lag_s: int = 0
    report_most: int = 10_000
    """A window of PayPal's report that holds more is refused."""
    paypal_lists: bool = True
    """Whether PayPal's application has the features by which the account's lists are read."""
    dispute_fee: int = 0
    """What PayPal asks of the seller for a chargeback, in minor units."""
    paypal: bool = True
    """Whether accounts may take wallets at PayPal."""
    processing_s: int = 86_400
    """How long the sandbox methods that answer `processing` take to settle."""
    debit_s: int = 5 * 86_400
    """How long a bank takes with a debit before anybody knows."""
    debit_return_s: int = 7 * 86_400
    """How long after it succeeded a test account's debit is taken back."""
    refund_pending_s: int = 86_400
    refunds_pending: bool = False
    """Every refund stays pending until told, through `/_sandbox/refunds/{id}`."""
    save_declining_cards: bool = True
    """Let test cards that decline be attached and set up. Stripe refuses that, except for `chargeCustomerFail`."""
    hold_ms: int = 90_000
    """How long a `timeout_*` holds a connection at most (wall time); it ends as soon as the caller gives up."""
    webhook_retries_ms: list[int] = field(default_factory=_retries)
    """Back-off between tries (wall time); the last one repeats until `webhook_give_up_s` after the first try."""
    webhook_give_up_s: int = 3 * 86_400

    def changed(self, wishes: Json) -> Config:
        """A copy with these values. Raises an API error for an unknown name or a value of another type."""
        known = {each.name: getattr(self, each.name) for each in fields(self)}
        types = {each.name: str(each.type) for each in fields(self)}
        for name, value in wishes.items():
            if name not in known:
                raise invalid(f"The stand-in has no setting named {name}.", param=name)
            if not _FITS[types[name]](value):
                raise invalid(f"{name} wants a value like {known[name]!r}.", param=name)
        return Config(**{**known, **wishes})

    def shown(self) -> Json:
        return asdict(self)


def _is_settlement(value: Any) -> bool:
    """No rate is 0: what moves is worth something."""
    known = isinstance(value, dict) and all(isinstance(rates, dict) for rates in value.values())
    return known and all(is_number(rate) and rate > 0 for rates in value.values() for rate in rates.values())


_FITS: dict[str, Callable[[Any], bool]] = {
    "bool": lambda value: isinstance(value, bool),
    "int": is_whole,
    "float": is_number,
    "list[int]": lambda value: isinstance(value, list) and all(map(is_whole, value)),
    "dict[str, int]": lambda value: isinstance(value, dict) and all(map(is_whole, value.values())),
    "dict[str, dict[str, float]]": _is_settlement,
}
"""What a setting takes, by the type that stands beside it."""


class Clock:
    """Wall time, or one instant at which the stand-in stands until it is moved. Survives a restart."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        with store.transaction() as tx:
            self._frozen: float | None = tx.setting("clock")

    @property
    def frozen(self) -> bool:
        return self._frozen is not None

    def now(self) -> int:
        """Unix seconds: `created`, the age of keys, the 30 days of events."""
        frozen = self._frozen
        return int(time.time() if frozen is None else frozen)

    def instant(self) -> datetime:
        frozen = self._frozen
        return datetime.fromtimestamp(time.time() if frozen is None else frozen, UTC)

    def set(self, instant: datetime | None) -> None:
        with self._lock:
            self._frozen = None if instant is None else instant.timestamp()
            with self._store.transaction() as tx:
                tx.set("clock", self._frozen)
