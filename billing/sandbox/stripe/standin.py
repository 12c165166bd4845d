"""What one stand-in consists of: its store, clock, knobs, faults, and what is going on at the moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from billing.sandbox.stripe.config import Clock, Config
from billing.sandbox.stripe.faults import Faults
from billing.sandbox.stripe.postman import Postman
from billing.sandbox.stripe.store import Store
from billing.sandbox.stripe.tx import Tx
from billing.sandbox.stripe.values import Json

Deliver = Callable[[str, bytes, dict[str, str]], int]
"""Delivers one webhook (url, body, headers) and returns the receiver's status. Raises on a failed connection."""
DeliverMany = Callable[[list[tuple[str, bytes, dict[str, str]]]], list[int | None]]
"""The same for many at once."""
Seal = Callable[["StandIn", Any], tuple[bytes, dict[str, str]]]
"""What goes out of a letter, and its signed headers."""
Timers = Mapping[str, Callable[["Call", str], None]]
"""What happens by itself, by name."""


class Buckets:
    """Requests a second of whatever is counted: an account, one of its operations. In wall time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[int, int]] = {}

    def take(self, whose: str, *, per_s: float) -> bool:
        if per_s <= 0:
            return True
        second = int(time.monotonic())
        with self._lock:
            start, count = self._seen.get(whose, (second, 0))
            count = count + 1 if start == second else 1
            self._seen[whose] = (second, count)
        return count <= per_s


class InFlight:
    """Which idempotency keys are being executed and how many requests are unanswered, now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: set[tuple[str, str]] = set()
        self.requests = 0

    def claim(self, account: str, key: str) -> bool:
        with self._lock:
            if (account, key) in self._keys:
                return False
            self._keys.add((account, key))
            return True

    def release(self, account: str, key: str) -> None:
        with self._lock:
            self._keys.discard((account, key))

    def count(self, change: int) -> None:
        with self._lock:
            self.requests += change


@dataclass(slots=True)
class StandIn:
    """One stand-in. `in_process`: a caller that would wait in vain is told at once by an exception."""

    store: Store
    clock: Clock
    faults: Faults
    config: Config
    deliver: Deliver
    in_process: bool
    deliver_many: DeliverMany | None = None
    seal: Seal | None = None
    """None: as Stripe does."""
    timers: Timers | None = None
    """None: what happens at Stripe."""
    flying: InFlight = field(default_factory=InFlight)
    buckets: Buckets = field(default_factory=Buckets)
    wake: threading.Event = field(default_factory=threading.Event)
    """Set when there may be something to do in the background."""

    def configure(self, wishes: Json) -> Config:
        self.config = self.config.changed(wishes)
        with self.store.transaction() as tx:
            tx.set("config", self.config.shown())
        self.wake.set()
        return self.config


def stand_in_over(
    store: Store,
    *,
    deliver: Deliver | None = None,
    deliver_many: DeliverMany | None = None,
    seed: int | None = None,
    in_process: bool = False,
    seal: Seal | None = None,
    timers: Timers | None = None,
) -> StandIn:
    """A stand-in over `store`. It starts no thread: run `Background` over it, or call `run_due` yourself.

    `deliver` carries webhooks instead of HTTP, or `deliver_many` what waits together; `seed` makes faults by rate
    repeatable; `in_process`: a caller that would get no answer is told at once by `NoAnswer`, raised out of the
    request.
    """
    with store.transaction() as tx:
        config = Config().changed(tx.setting("config") or {})
    return StandIn(
        store=store,
        clock=Clock(store),
        faults=Faults(store, seed=seed),
        config=config,
        deliver=Postman() if deliver is None else deliver,
        in_process=in_process,
        deliver_many=deliver_many,
        seal=seal,
        timers=timers,
    )


@dataclass(slots=True)
class Call:
    """One request while it is executed, inside its transaction; or something that happens by itself, without one."""

    stand_in: StandIn
    tx: Tx
    account: str
    now: int
    params: Json = field(default_factory=dict)
    args: dict[str, str] = field(default_factory=dict)
    request_id: str | None = None
    key: str | None = None
    method: str = ""
    path: str = ""
    unanswered: bool = False
    """Set by an operation whose effect stays although no answer is given."""

    @property
    def config(self) -> Config:
        return self.stand_in.config

    def given(self, name: str, default: Any = None) -> Any:
        return self.params.get(name, default)
