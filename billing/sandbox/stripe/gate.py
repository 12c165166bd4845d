"""The way of every request to the API: who asks, may it, is it a repeat, do it, keep the answer, write it down.

Everything that an operation does, its events, its answer under the idempotency key and the line in the request log
are one transaction: after a kill there is all of it or nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from billing.sandbox.stripe import idempotency
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
from billing.sandbox.stripe.faults import Fault
from billing.sandbox.stripe.idempotency import Answer
from billing.sandbox.stripe.objects import API_VERSION
from billing.sandbox.stripe.params import Spec, check, decode
from billing.sandbox.stripe.passing import (
    Asked,
    fault_of,
    key_claimed,
    lose_on_the_way_in,
    lose_on_the_way_out,
    note,
    note_alone,
    take_time,
)
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
        return fault_of(self.stand_in, self.asked, kind)


def answer(stand_in: StandIn, route: Route, asked: Asked) -> Answer:
    """Serve one request. Raises `NoAnswer` where the caller is to get none."""
    entry = Entry(asked.method, asked.path, request_id=new_id("req"), key=asked.header("Idempotency-Key") or None)
    stand_in.flying.count(1)
    try:
        result = _admitted(_Visit(stand_in, route, asked, entry))
    except ApiError as error:
        result = Answer.of(error.status, error.body, error.headers)
        note_alone(stand_in, entry.ended(error.status, "refused"))
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
    lose_on_the_way_in(visit.stand_in, visit.asked, entry)
    if entry.key and len(entry.key) > MAX_KEY:
        raise invalid(f"An idempotency key has at most {MAX_KEY} characters.")
    visit.params = check(entry.params, visit.route.spec)
    with key_claimed(visit.stand_in, entry.account, visit.key, in_use=key_in_use):
        take_time(visit.stand_in, visit.asked)
        result, lost = _executed(visit)
    visit.stand_in.wake.set()
    lose_on_the_way_out(visit.stand_in, visit.asked, lost=lost)
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


def _executed(visit: _Visit) -> tuple[Answer, bool]:
    """Replay, or do it, in one transaction. Returns the answer, and whether it is to be lost."""
    stand_in, entry, now = visit.stand_in, visit.entry, visit.stand_in.clock.now()
    print_ = idempotency.fingerprint(entry.method, entry.path, entry.params)
    with stand_in.store.transaction() as tx:
        if visit.key:
            kept = idempotency.replay(tx, account=entry.account, key=visit.key, print_=print_, now=now)
            if kept is not None:
                note(stand_in, tx, entry.ended(kept.status, "replayed"))
                return kept, False
        call = _call(visit, tx, now)
        try:
            result = _done(visit, call)
        except Interrupted as fault:
            return _interrupted(call, entry, fault), fault.status is None
        if visit.key:
            idempotency.keep(tx, result, call=call, print_=print_)
        note(stand_in, tx, entry.ended(result.status, "executed"))
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
    note(call.stand_in, call.tx, entry.ended(fault.status, "refused"))
    return _as_answer(server_error(fault.status or 503))


def _as_answer(error: ApiError) -> Answer:
    return Answer.of(error.status, error.body, error.headers)
