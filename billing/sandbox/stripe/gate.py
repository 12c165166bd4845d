"""The way of every request to the API: who asks, may it, is it a repeat, do it, keep the answer, write it down.

Everything that an operation does, its events, its answer under the idempotency key and the line in the request log
are one transaction: after a kill there is all of it or nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from billing.sandbox.stripe import idempotency, requestlog
from billing.sandbox.stripe.credentials import account_of
from billing.sandbox.stripe.errors import (
    ApiError,
    Interrupted,
    invalid,
    key_in_use,
    locked,
    rate_limited,
    server_error,
)
from billing.sandbox.stripe.expand import expand
from billing.sandbox.stripe.faults import Fault, StandInDisconnected, StandInTimeout, hold
from billing.sandbox.stripe.idempotency import Answer
from billing.sandbox.stripe.objects import API_VERSION
from billing.sandbox.stripe.params import Spec, check, decode
from billing.sandbox.stripe.requestlog import Entry
from billing.sandbox.stripe.standin import Call, StandIn
from billing.sandbox.stripe.tx import Tx
from billing.sandbox.stripe.values import Json, new_id

Operation = Callable[[Call], Json]
MAX_KEY = 255


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of the API: its path, the parameters it takes, what it does."""

    method: str
    path: str
    operation: Operation
    spec: Spec


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came in. `gone` tells whether the caller has given up, where the server can know."""

    method: str
    path: str
    raw: str
    header: Callable[[str], str | None]
    args: dict[str, str]
    gone: Callable[[], bool] | None


@dataclass(slots=True)
class _Visit:
    """One request on its way through the gate."""

    stand_in: StandIn
    route: Route
    asked: Asked
    entry: Entry
    params: Json = field(default_factory=dict)

    @property
    def key(self) -> str | None:
        """Only a POST is made idempotent by a key; Stripe ignores it elsewhere."""
        return self.entry.key if self.asked.method == "POST" else None

    def fault(self, kind: str) -> Fault | None:
        return self.stand_in.faults.hit(kind, method=self.asked.method, path=self.asked.path)


def answer(stand_in: StandIn, route: Route, asked: Asked) -> Answer:
    """Serve one request. Raises `NoAnswer` where the caller is to get none."""
    entry = Entry(asked.method, asked.path, request_id=new_id("req"), key=asked.header("Idempotency-Key") or None)
    stand_in.flying.count(1)
    try:
        result = _admitted(_Visit(stand_in, route, asked, entry))
    except ApiError as error:
        result = Answer.of(error.status, error.body, error.headers)
        _note_alone(stand_in, entry.ended(error.status, "refused"))
    finally:
        stand_in.flying.count(-1)
    headers = {**result.headers, "Request-Id": entry.request_id}
    headers["Stripe-Version"] = asked.header("Stripe-Version") or API_VERSION
    if entry.key:
        headers["Idempotency-Key"] = entry.key
    return Answer(result.status, result.text, headers)


def _admitted(visit: _Visit) -> Answer:
    entry = visit.entry
    entry.params = decode(visit.asked.raw)
    entry.account, entry.key_hash = account_of(visit.asked.header("Authorization") or "")
    _check_rate(visit)
    _lose_on_the_way_in(visit)
    if entry.key and len(entry.key) > MAX_KEY:
        raise invalid(f"An idempotency key has at most {MAX_KEY} characters.")
    visit.params = check(entry.params, visit.route.spec)
    with _key_claimed(visit):
        slow = visit.fault("slow")
        ms = visit.stand_in.config.latency_ms if slow is None else slow.ms or 0
        if ms and not visit.stand_in.in_process:
            time.sleep(ms / 1000)
        result, lost = _executed(visit)
    visit.stand_in.wake.set()
    _lose_on_the_way_out(visit, lost=lost)
    return result


def _check_rate(visit: _Visit) -> None:
    fault = visit.fault("rate_limit")
    if fault is not None:
        raise rate_limited(retry_after_s=fault.retry_after_s)
    config, buckets = visit.stand_in.config, visit.stand_in.buckets
    if not buckets.take(visit.entry.account, per_s=config.rate_limit_per_s):
        raise rate_limited()
    operation = f"{visit.entry.account} {visit.route.method} {visit.route.path}"
    if not buckets.take(operation, per_s=config.endpoint_limit_per_s):
        raise rate_limited(reason="endpoint-rate")
    if visit.fault("lock_timeout"):
        raise locked()


@contextmanager
def _key_claimed(visit: _Visit) -> Iterator[None]:
    """While a request runs, nobody else runs under its key."""
    if visit.key is None:
        yield
        return
    if not visit.stand_in.flying.claim(visit.entry.account, visit.key):
        raise key_in_use(visit.key)
    try:
        yield
    finally:
        visit.stand_in.flying.release(visit.entry.account, visit.key)


def _executed(visit: _Visit) -> tuple[Answer, bool]:
    """Replay, or do it, in one transaction. Returns the answer, and whether it is to be lost."""
    stand_in, entry, now = visit.stand_in, visit.entry, visit.stand_in.clock.now()
    print_ = idempotency.fingerprint(entry.method, entry.path, entry.params)
    with stand_in.store.transaction() as tx:
        if visit.key:
            kept = idempotency.replay(tx, account=entry.account, key=visit.key, print_=print_, now=now)
            if kept is not None:
                _note(stand_in, tx, entry.ended(kept.status, "replayed"))
                return kept, False
        call = _call(visit, tx, now)
        try:
            result = _done(visit, call)
        except Interrupted as fault:
            return _interrupted(call, entry, fault), fault.status is None
        if visit.key:
            idempotency.keep(tx, result, call=call, print_=print_)
        _note(stand_in, tx, entry.ended(result.status, "executed"))
        return result, call.unanswered


def _call(visit: _Visit, tx: Tx, now: int) -> Call:
    return Call(
        stand_in=visit.stand_in,
        tx=tx,
        account=visit.entry.account,
        now=now,
        params=visit.params,
        args=visit.asked.args,
        request_id=visit.entry.request_id,
        key=visit.key,
        method=visit.asked.method,
        path=visit.asked.path,
    )


def _done(visit: _Visit, call: Call) -> Answer:
    """Do it. An error without effects undoes what was written; one that is not to be kept ends the transaction."""
    if visit.fault("error_500_before"):
        return _as_answer(server_error())
    call.tx.sql("savepoint operation")
    try:
        result = Answer.of(200, expand(call, visit.route.operation(call)), {})
    except Interrupted:
        call.tx.sql("rollback to operation")
        raise
    except ApiError as error:
        if not error.saved:
            raise
        if not error.effects:
            call.tx.sql("rollback to operation")
        result = _as_answer(error)
    return _as_answer(server_error()) if visit.fault("error_500_after") else result


def _interrupted(call: Call, entry: Entry, fault: Interrupted) -> Answer:
    idempotency.strike(call)
    _note(call.stand_in, call.tx, entry.ended(fault.status, "refused"))
    return _as_answer(server_error(fault.status or 503))


def _lose_on_the_way_in(visit: _Visit) -> None:
    fault = visit.fault("timeout_before")
    if fault is not None:
        _note_alone(visit.stand_in, visit.entry.ended(None, "refused"))
        _time_out(visit, fault.ms)


def _lose_on_the_way_out(visit: _Visit, *, lost: bool) -> None:
    timeout, broken = visit.fault("timeout_after"), visit.fault("disconnect_after")
    if timeout is not None or broken is not None:
        # Written at once: a stand-in killed while it holds the caller must not strike again after its restart.
        with visit.stand_in.store.transaction() as tx:
            visit.stand_in.faults.keep(tx)
    if lost or timeout is not None:
        _time_out(visit, timeout.ms if timeout else None)
    if broken is not None:
        raise StandInDisconnected("the connection breaks before the answer, by a fault")


def _time_out(visit: _Visit, ms: int | None) -> None:
    if not visit.stand_in.in_process:
        hold(visit.stand_in.config.hold_ms if ms is None else ms, visit.asked.gone)
    raise StandInTimeout("no answer comes, by a fault")


def _as_answer(error: ApiError) -> Answer:
    return Answer.of(error.status, error.body, error.headers)


def _note(stand_in: StandIn, tx: Tx, entry: Entry) -> None:
    requestlog.write(tx, entry, stand_in.clock.now())
    stand_in.faults.keep(tx)


def _note_alone(stand_in: StandIn, entry: Entry) -> None:
    with stand_in.store.transaction() as tx:
        _note(stand_in, tx, entry)
