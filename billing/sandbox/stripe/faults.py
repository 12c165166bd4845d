"""Faults on demand: which request or delivery is hit, by chance or the next n times.

`{"kind", "rate": 0..1 | "next": n, "path", "method", "type", "account", "ms", "retry_after_s"}`: `path` is a prefix of
the request's path, `type` a prefix of the event's type (webhook kinds), `account` the one of Stripe's that it hits (its
id; by default all), `ms` at most a day. Kept in the store, so a restart forgets none.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

from billing.sandbox.stripe.errors import invalid
from billing.sandbox.stripe.store import Store
from billing.sandbox.stripe.tx import Tx
from billing.sandbox.stripe.values import Json
from billing.sandbox.stripe.wishes import number, object_of, one_of, text, whole

REQUEST_KINDS = frozenset(
    (
        "timeout_before",
        "timeout_after",
        "disconnect_after",
        "error_500_before",
        "error_500_after",
        "rate_limit",
        "lock_timeout",
        "slow",
    )
)
WEBHOOK_KINDS = frozenset(("event_lost", "webhook_duplicate", "webhook_reorder", "webhook_drop", "webhook_delay"))
_METHODS = ("GET", "POST", "DELETE")
_MOST_MS = 86_400_000
_POLL_S = 0.02


class NoAnswer(Exception):
    """The caller gets no answer. Over HTTP the connection is closed; mounted in process this is raised at once."""


class StandInTimeout(NoAnswer):
    """The caller's time-out passes while it waits."""


class StandInDisconnected(NoAnswer):
    """The connection breaks before the answer."""


@dataclass(slots=True)
class Fault:
    """One fault with what is left of it and how often it hit."""

    kind: str
    rate: float | None = None
    next: int | None = None
    path: str = ""
    method: str | None = None
    type: str = ""
    account: str = ""
    ms: int | None = None
    retry_after_s: float | None = None
    hits: int = 0

    def concerns(self, *, method: str, path: str, event_type: str, account: Callable[[], str]) -> bool:
        if not path.startswith(self.path) or not event_type.startswith(self.type):
            return False
        if self.method is not None and self.method != method:
            return False
        return not self.account or self.account == account()


class Faults:
    """The faults switched on, and the seeded chance that decides for those with a rate."""

    def __init__(self, store: Store, *, seed: int | None) -> None:
        self._store = store
        self._random = random.Random(seed)  # noqa: S311
        self._lock = threading.Lock()
        self._changed = False
        with store.transaction() as tx:
            self._faults = [Fault(**row) for row in tx.setting("faults") or []]

    def add(self, wishes: Any) -> None:
        """Switch on further faults. Raises an API error, and changes nothing, if one of them is malformed."""
        if not isinstance(wishes, list):
            raise invalid("Faults are given as a JSON list.")
        self._replace([*self._faults, *(_fault(wish) for wish in wishes)])

    def clear(self) -> None:
        self._replace([])

    def _replace(self, faults: list[Fault]) -> None:
        with self._store.transaction() as tx:
            with self._lock:
                self._faults, self._changed = faults, True
            self.keep(tx)

    def shown(self) -> list[Json]:
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def hit(
        self,
        kind: str,
        *,
        method: str = "",
        path: str = "",
        event_type: str = "",
        account: Callable[[], str] = lambda: "",
    ) -> Fault | None:
        """The fault of this kind that strikes now, if any; counted, and one of its `next` used up.

        `account` is asked only where one stands that hits one account: whose a key is takes two digests to know.
        """
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults:
                if fault.kind != kind:
                    continue
                concerned = fault.concerns(method=method, path=path, event_type=event_type, account=account)
                if concerned and self._strikes(fault):
                    fault.hits += 1
                    self._changed = True
                    return fault
        return None

    def _strikes(self, fault: Fault) -> bool:
        if fault.next is None:
            return fault.rate is not None and self._random.random() < fault.rate
        if fault.next < 1:
            return False
        fault.next -= 1
        return True

    def keep(self, tx: Tx) -> None:
        """Write down what has changed. The store is always locked before the faults, so neither waits for the other."""
        with self._lock:
            if self._changed:
                tx.set("faults", [asdict(fault) for fault in self._faults])
                self._changed = False


def hold(ms: int, gone: Callable[[], bool] | None) -> None:
    """Keep the caller waiting for `ms` of wall time, or until it has given up."""
    until = time.monotonic() + ms / 1000
    while (left := until - time.monotonic()) > 0 and not (gone is not None and gone()):
        time.sleep(min(_POLL_S, left))


def _fault(wish: Any) -> Fault:
    wish = object_of(wish)
    kinds = sorted(REQUEST_KINDS | WEBHOOK_KINDS)
    if wish.get("kind") not in kinds:
        raise invalid(f"kind is one of {', '.join(kinds)}.", param="kind")
    unknown = set(wish) - {each.name for each in fields(Fault) if each.name != "hits"}
    if unknown:
        raise invalid(f"A fault has no {min(unknown)}.", param=min(unknown))
    fault = Fault(
        kind=wish["kind"],
        rate=number(wish, "rate", most=1),
        next=whole(wish, "next", least=1),
        path=text(wish, "path"),
        method=one_of(wish, "method", *_METHODS) if wish.get("method") is not None else None,
        type=text(wish, "type"),
        account=text(wish, "account"),
        ms=whole(wish, "ms", most=_MOST_MS),
        retry_after_s=number(wish, "retry_after_s", most=_MOST_MS / 1000),
    )
    if (fault.rate is None) == (fault.next is None):
        raise invalid("A fault has either a rate or a next.", param="rate")
    return fault
