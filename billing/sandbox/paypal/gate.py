"""The way of every request to the API: who asks, is it a repeat, do it, keep it under its id, write it down.

Effects, the line in the request log and what is kept under the request's id are one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from billing.sandbox.paypal.credentials import account_of
from billing.sandbox.paypal.errors import PayPalError, in_progress, invalid, rate_limited, server_error
from billing.sandbox.stripe import idempotency
from billing.sandbox.stripe.errors import Interrupted
from billing.sandbox.stripe.faults import Fault
from billing.sandbox.stripe.idempotency import Answer
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

KEY_LIFE_S = 6 * 3600
MAX_KEY = 108

Operation = Callable[[Call], Json]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: what it does, and what a repeat under the same id shows: the object's latest state."""

    method: str
    path: str
    operation: Operation
    latest: Callable[[Call, str], Json] | None = None
    status: int = 200
    needs_key: bool = False


@dataclass(slots=True)
class _Visit:
    stand_in: StandIn
    route: Route
    asked: Asked
    entry: Entry
    params: Json = field(default_factory=dict)

    def fault(self, kind: str) -> Fault | None:
        return fault_of(self.stand_in, self.asked, kind)


def answer(stand_in: StandIn, route: Route, asked: Asked) -> Answer:
    """Serve one request. Raises `NoAnswer` where the caller is to get none."""
    entry = _entry(asked)
    stand_in.flying.count(1)
    try:
        result = _admitted(_Visit(stand_in, route, asked, entry))
    except PayPalError as error:
        result = Answer.of(error.status, {**error.body, "debug_id": entry.request_id}, error.headers)
        note_alone(stand_in, entry.ended(error.status, "refused"))
    finally:
        stand_in.flying.count(-1)
    return Answer(result.status, result.text, {**result.headers, "PayPal-Debug-Id": entry.request_id})


def turned_away(stand_in: StandIn, asked: Asked, error: PayPalError) -> Answer:
    """The answer where there is no such operation. What was said stands in the log all the same."""
    entry = _entry(asked)
    entry.params = {"": asked.raw} if asked.raw else {}
    note_alone(stand_in, entry.ended(error.status, "refused"))
    return _as_answer(error, entry)


def _entry(asked: Asked) -> Entry:
    key = asked.header("PayPal-Request-Id") if asked.method == "POST" else None
    path = f"{asked.path}?{asked.query}" if asked.query else asked.path
    return Entry(asked.method, path, request_id=new_id("debug")[6:], key=key or None)


def _admitted(visit: _Visit) -> Answer:
    entry, asked = visit.entry, visit.asked
    entry.params = {"": asked.raw} if asked.raw else {}
    visit.params = entry.params = _decoded(asked)
    entry.account = account_of(asked.header("Authorization") or "")
    fault = visit.fault("rate_limit")
    config = visit.stand_in.config
    buckets, operation = visit.stand_in.buckets, f"{entry.account} {visit.route.method} {visit.route.path}"
    if fault is not None or not buckets.take(entry.account, per_s=config.rate_limit_per_s):
        raise rate_limited(fault.retry_after_s if fault else None)
    if not buckets.take(operation, per_s=config.endpoint_limit_per_s):
        raise rate_limited(None)
    lose_on_the_way_in(visit.stand_in, asked, entry)
    if visit.route.needs_key and not entry.key:
        raise invalid("PAYPAL_REQUEST_ID_REQUIRED", "PayPal-Request-Id is required for this request.")
    if entry.key and len(entry.key) > MAX_KEY:
        raise invalid("INVALID_STRING_LENGTH", f"PayPal-Request-Id has at most {MAX_KEY} characters.")
    if visit.fault("lock_timeout") is not None:
        raise in_progress()
    with key_claimed(visit.stand_in, entry.account, entry.key, in_use=lambda _: in_progress()):
        take_time(visit.stand_in, asked)
        result, lost = _executed(visit)
    visit.stand_in.wake.set()
    lose_on_the_way_out(visit.stand_in, asked, lost=lost)
    return result


def _decoded(asked: Asked) -> Json:
    if asked.method != "POST":
        return dict(parse_qsl(asked.raw, keep_blank_values=True))
    try:
        body = json.loads(asked.raw) if asked.raw.strip() else {}
    except ValueError:
        raise invalid("MALFORMED_REQUEST_JSON", "The request JSON is not well formed.") from None
    if not isinstance(body, dict):
        raise invalid("MALFORMED_REQUEST_JSON", "The request is a JSON object.")
    return body


def _executed(visit: _Visit) -> tuple[Answer, bool]:
    """Show what is kept, or do it, in one transaction. Returns the answer, and whether it is to be lost."""
    stand_in, entry, now = visit.stand_in, visit.entry, visit.stand_in.clock.now()
    with stand_in.store.transaction() as tx:
        call = _call(visit, tx, now)
        kept = _kept(visit, call)
        if kept is not None:
            note(stand_in, tx, entry.ended(kept.status, "replayed"))
            return kept, False
        try:
            result, keeps = _done(visit, call)
        except Interrupted as fault:
            idempotency.strike(call)
            note(stand_in, tx, entry.ended(fault.status, "refused"))
            return _as_answer(server_error(503), entry), fault.status is None
        if keeps and entry.key:
            idempotency.keep(tx, result, call=call, print_="")
        if visit.fault("error_500_after"):
            result = _as_answer(server_error(), entry)
        # What was not carried out may be carried out under the same id: the witness counts it as refused.
        note(stand_in, tx, entry.ended(result.status, "executed" if keeps else "refused"))
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
        key=visit.entry.key,
        method=visit.asked.method,
        path=visit.asked.path,
    )


def _kept(visit: _Visit, call: Call) -> Answer | None:
    """The latest state of what was done under this id, whatever the repeat says; None: it is new, or forgotten."""
    if call.key is None:
        return None
    rows = call.tx.sql("select * from keys where account = ? and key = ?", (call.account, call.key))
    if not rows:
        return None
    if call.now - rows[0]["created"] >= KEY_LIFE_S:
        call.tx.sql("delete from keys where account = ? and key = ?", (call.account, call.key))
        return None
    body = json.loads(rows[0]["body"])
    if rows[0]["status"] >= 400 or visit.route.latest is None:
        return Answer.of(rows[0]["status"], body, {})
    return Answer.of(200, visit.route.latest(call, body["id"]), {})


def _done(visit: _Visit, call: Call) -> tuple[Answer, bool]:
    """Do it; and whether it is kept under its id. An error without effects undoes what was written."""
    if visit.fault("error_500_before"):
        return _as_answer(server_error(), visit.entry), False
    call.tx.sql("savepoint operation")
    try:
        return Answer.of(visit.route.status, visit.route.operation(call), {}), True
    except Interrupted:
        call.tx.sql("rollback to operation")
        raise
    except PayPalError as error:
        if not error.effects:
            call.tx.sql("rollback to operation")
        return _as_answer(error, visit.entry), error.kept


def _as_answer(error: PayPalError, entry: Entry) -> Answer:
    return Answer.of(error.status, {**error.body, "debug_id": entry.request_id}, error.headers)
