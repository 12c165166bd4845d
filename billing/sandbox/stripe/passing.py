"""What happens to a request at any provider's gate: it is noted, its key is taken, its answer may be lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from billing.sandbox.stripe import requestlog
from billing.sandbox.stripe.credentials import account_of
from billing.sandbox.stripe.errors import ApiError
from billing.sandbox.stripe.faults import Fault, StandInDisconnected, StandInTimeout, hold
from billing.sandbox.stripe.requestlog import Entry
from billing.sandbox.stripe.standin import StandIn
from billing.sandbox.stripe.tx import Tx


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came in. `gone` tells whether the caller has given up, where the server can know."""

    method: str
    path: str
    raw: str
    header: Callable[[str], str | None]
    args: dict[str, str]
    gone: Callable[[], bool] | None
    query: str = ""
    """What stood behind the address of a request that has a body."""


def fault_of(stand_in: StandIn, asked: Asked, kind: str) -> Fault | None:
    """The fault of this kind that strikes the request, if one does."""
    return stand_in.faults.hit(kind, method=asked.method, path=asked.path, account=lambda: _whose(asked))


def _whose(asked: Asked) -> str:
    """The account of a key of Stripe's; none of another provider's."""
    try:
        account, _ = account_of(asked.header("Authorization") or "")
    except ApiError:
        return ""
    return account


@contextmanager
def key_claimed(
    stand_in: StandIn, account: str, key: str | None, *, in_use: Callable[[str], Exception]
) -> Iterator[None]:
    """While a request runs, nobody else runs under its key: who tries gets `in_use`."""
    if key is None:
        yield
        return
    if not stand_in.flying.claim(account, key):
        raise in_use(key)
    try:
        yield
    finally:
        stand_in.flying.release(account, key)


def take_time(stand_in: StandIn, asked: Asked) -> None:
    """Wait as long as an answer is set to take, or as a fault makes it take."""
    slow = fault_of(stand_in, asked, "slow")
    ms = stand_in.config.latency_ms if slow is None else slow.ms or 0
    if ms and not stand_in.in_process:
        time.sleep(ms / 1000)


def lose_on_the_way_in(stand_in: StandIn, asked: Asked, entry: Entry) -> None:
    """Where a fault says so the request is not carried out, and its caller gets no answer."""
    fault = fault_of(stand_in, asked, "timeout_before")
    if fault is not None:
        note_alone(stand_in, entry.ended(None, "refused"))
        _time_out(stand_in, asked, fault.ms)


def lose_on_the_way_out(stand_in: StandIn, asked: Asked, *, lost: bool) -> None:
    """Where a fault says so, or `lost`, the request was carried out, and its caller gets no answer."""
    timeout, broken = fault_of(stand_in, asked, "timeout_after"), fault_of(stand_in, asked, "disconnect_after")
    if timeout is not None or broken is not None:
        # Written at once: a stand-in killed while it holds the caller must not strike again after its restart.
        with stand_in.store.transaction() as tx:
            stand_in.faults.keep(tx)
    if lost or timeout is not None:
        _time_out(stand_in, asked, timeout.ms if timeout else None)
    if broken is not None:
        raise StandInDisconnected("the connection breaks before the answer, by a fault")


def note(stand_in: StandIn, tx: Tx, entry: Entry) -> None:
    """Write the line of the request log, in the transaction of what it tells of."""
    requestlog.write(tx, entry, stand_in.clock.now())
    stand_in.faults.keep(tx)


def note_alone(stand_in: StandIn, entry: Entry) -> None:
    """The same of a request that did nothing."""
    with stand_in.store.transaction() as tx:
        note(stand_in, tx, entry)


def _time_out(stand_in: StandIn, asked: Asked, ms: int | None) -> None:
    if not stand_in.in_process:
        hold(stand_in.config.hold_ms if ms is None else ms, asked.gone)
    raise StandInTimeout("no answer comes, by a fault")
