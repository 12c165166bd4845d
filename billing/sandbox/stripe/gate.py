"""The way of every request to the API: who asks, may it, is it a repeat, do it, keep the answer, write it down.

Everything that an operation does, its events, its answer under the idempotency key and the line in the request log
are one transaction: after a kill there is all of it or nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from billing.sandbox.stripe import idempotency, requestlog
from billing.sandbox.stripe.errors import (
    ApiError,
    Interrupted,
    invalid,
    key_in_use,
    rate_limited,
    server_error,
    unauthorized,
)
from billing.sandbox.stripe.expand import expand
from billing.sandbox.stripe.faults import StandInDisconnected, StandInTimeout, hold
from billing.sandbox.stripe.idempotency import Answer
from billing.sandbox.stripe.objects import API_VERSION
from billing.sandbox.stripe.params import Spec, check, decode
from billing.sandbox.stripe.requestlog import Entry
from billing.sandbox.stripe.standin import Call, StandIn
from billing.sandbox.stripe.tx import Tx
from billing.sandbox.stripe.values import Json, digest, new_id

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
    headers: Mapping[str, str]
    args: dict[str, str]
    gone: Callable[[], bool] | None


def answer(stand_in: StandIn, route: Route, asked: Asked) -> Answer:
    """Serve one request. Raises `NoAnswer` where the caller is to get none."""
    entry = Entry(asked.method, asked.path, request_id=new_id("req"), key=asked.headers.get("Idempotency-Key") or None)
    stand_in.flying.count(1)
    try:
        result = _admitted(stand_in, route, asked, entry)
    except ApiError as error:
        result = Answer(error.status, error.body, error.headers)
        _note_alone(stand_in, entry.ended(error.status, "refused"))
    finally:
        stand_in.flying.count(-1)
    headers = {**result.headers, "Request-Id": entry.request_id}
    headers["Stripe-Version"] = asked.headers.get("Stripe-Version", API_VERSION)
    if entry.key:
        headers["Idempotency-Key"] = entry.key
    return Answer(result.status, result.body, headers)


def _admitted(stand_in: StandIn, route: Route, asked: Asked, entry: Entry) -> Answer:
    entry.params = decode(asked.raw)
    entry.account, entry.key_hash = _account(asked.headers.get("Authorization", ""))
    limited = stand_in.faults.hit("rate_limit", method=asked.method, path=asked.path)
    if limited is not None or not stand_in.buckets.take(entry.account, per_s=stand_in.config.rate_limit_per_s):
        raise rate_limited(retry_after_s=limited.retry_after_s if limited else None)
    _lost_on_the_way_in(stand_in, asked, entry)
    if entry.key and len(entry.key) > MAX_KEY:
        raise invalid(f"An idempotency key has at most {MAX_KEY} characters.")
    params = check(entry.params, route.spec)
    key = entry.key if asked.method == "POST" else None
    with ExitStack() as while_running:
        if key:
            if not stand_in.flying.claim(entry.account, key):
                raise key_in_use(key)
            while_running.callback(stand_in.flying.release, entry.account, key)
        slow = stand_in.faults.hit("slow", method=asked.method, path=asked.path)
        if slow is not None and not stand_in.in_process:
            hold(slow.ms or 0, None)
        result, lost_ms = _executed(stand_in, route, asked, entry, params, key)
    stand_in.wake.set()
    _lost_on_the_way_out(stand_in, asked, lost_ms)
    return result


def _executed(
    stand_in: StandIn, route: Route, asked: Asked, entry: Entry, params: Json, key: str | None
) -> tuple[Answer, int | None]:
    """Replay, or do it. Returns the answer and, if it is to be lost, for how many milliseconds to hold the caller."""
    now = stand_in.clock.now()
    print_ = idempotency.fingerprint(asked.method, asked.path, entry.params)
    with stand_in.store.transaction() as tx:
        if key:
            kept = idempotency.replay(tx, account=entry.account, key=key, print_=print_, now=now)
            if kept is not None:
                _note(stand_in, tx, entry.ended(kept.status, "replayed"), now)
                return kept, None
        call = Call(
            stand_in, tx, entry.account, now, params, asked.args, entry.request_id, key, asked.method, asked.path
        )
        tx.sql("savepoint operation")
        try:
            result = _done(stand_in, route, call)
        except ApiError as error:
            if not error.effects:
                tx.sql("rollback to operation")
            if not error.saved:
                raise
            result = Answer(error.status, error.body, error.headers)
        except Interrupted as fault:
            tx.sql("rollback to operation")
            return _interrupted(stand_in, tx, entry, fault, now)
        if key:
            idempotency.keep(
                tx, result, account=entry.account, key=key, print_=print_, now=now, request_id=entry.request_id
            )
        _note(stand_in, tx, entry.ended(result.status, "executed"), now)
        return result, stand_in.config.hold_ms if call.unanswered else None


def _done(stand_in: StandIn, route: Route, call: Call) -> Answer:
    if stand_in.faults.hit("error_500_before", method=call.method, path=call.path):
        raise server_error()
    try:
        body = expand(call, route.operation(call))
    except ApiError as error:
        if error.effects and stand_in.faults.hit("error_500_after", method=call.method, path=call.path):
            raise server_error(effects=True) from error
        raise
    if stand_in.faults.hit("error_500_after", method=call.method, path=call.path):
        raise server_error(effects=True)
    return Answer(200, body, {})


def _interrupted(stand_in: StandIn, tx: Tx, entry: Entry, fault: Interrupted, now: int) -> tuple[Answer, int | None]:
    idempotency.strike(tx, account=entry.account, key=entry.key, now=now)
    _note(stand_in, tx, entry.ended(fault.status, "refused"), now)
    error = server_error(fault.status or 503)
    return Answer(error.status, error.body, error.headers), None if fault.status else stand_in.config.hold_ms


def _lost_on_the_way_in(stand_in: StandIn, asked: Asked, entry: Entry) -> None:
    fault = stand_in.faults.hit("timeout_before", method=asked.method, path=asked.path)
    if fault is None:
        return
    _note_alone(stand_in, entry.ended(None, "refused"))
    _time_out(stand_in, asked, fault.ms)


def _lost_on_the_way_out(stand_in: StandIn, asked: Asked, lost_ms: int | None) -> None:
    if lost_ms is not None:
        _time_out(stand_in, asked, lost_ms)
    fault = stand_in.faults.hit("timeout_after", method=asked.method, path=asked.path)
    if fault is not None:
        _time_out(stand_in, asked, fault.ms)
    if stand_in.faults.hit("disconnect_after", method=asked.method, path=asked.path):
        raise StandInDisconnected("the connection breaks before the answer, by a fault")


def _time_out(stand_in: StandIn, asked: Asked, ms: int | None) -> None:
    if not stand_in.in_process:
        hold(stand_in.config.hold_ms if ms is None else ms, asked.gone)
    raise StandInTimeout("no answer comes, by a fault")


def _note(stand_in: StandIn, tx: Tx, entry: Entry, now: int) -> None:
    requestlog.write(tx, entry, now)
    stand_in.faults.keep(tx)


def _note_alone(stand_in: StandIn, entry: Entry) -> None:
    with stand_in.store.transaction() as tx:
        _note(stand_in, tx, entry, stand_in.clock.now())


def _account(authorization: str) -> tuple[str, str]:
    """The account that a test key belongs to, and the key's hash. Every `sk_test_` key has an account of its own."""
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() == "basic":
        secret = _basic_user(secret)
    if not secret:
        raise unauthorized("No API key was given: send it as `Authorization: Bearer sk_test_...`.")
    if not secret.startswith("sk_test_") or len(secret) == len("sk_test_"):
        raise unauthorized("This is a sandbox: it takes keys that begin with sk_test_, and never a live key.")
    return "acct_sandbox" + digest(secret, length=12), digest("key " + secret)


def _basic_user(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[0]
    except ValueError:
        return ""
