"""Events: written in the transaction in which they happen, with a delivery for every endpoint that listens."""

from __future__ import annotations

import time
from typing import Any

from billing.sandbox.stripe import objects
from billing.sandbox.stripe.errors import missing
from billing.sandbox.stripe.faults import Fault
from billing.sandbox.stripe.lists import page
from billing.sandbox.stripe.params import BOOL, CREATED, LIST, PAGE, TEXT, Spec
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.tx import Tx
from billing.sandbox.stripe.values import Json

KEPT_S = 30 * 86_400
"""Stripe lists events of the last 30 days only."""
EVERY_ACCOUNT = "*"
"""The endpoint given at start hears all accounts, since an account exists only once its key is used."""
_REORDER_MS = 500
_TURNED_AROUND = (1, 0.5, 0)
"""Of deliveries that are reordered, three at a time wait so long: where all are, each three come in reverse."""
_UNTAKEN = """select 1 from deliveries d where d.event = objects.id and d.state <> 'delivered' and not exists
    (select 1 from deliveries t where t.event = d.event and t.endpoint = d.endpoint and t.state = 'delivered')"""
"""An endpoint that was to hear of the event and has not taken it by any delivery."""

LIST_SPEC: Spec = {**PAGE, "created": CREATED, "type": TEXT, "types": LIST, "delivery_success": BOOL}


def happen(call: Call, type: str, body: Json, *, previous: Json | None = None) -> None:
    """Note that something happened, because of this request or by itself; nothing where the fault `event_lost` hits."""
    if _hit(call, "event_lost", type):
        return
    data: Json = {"object": body} if previous is None else {"object": body, "previous_attributes": previous}
    request = {"id": call.request_id, "idempotency_key": call.key}
    event = objects.event(call.now, type=type, data=data, request=request)
    call.tx.add(call.account, event)
    announce(call, event["id"], type)


def announce(call: Call, event: str, type: str) -> None:
    """Promise an event that is written down to every endpoint that listens."""
    for endpoint in listening(call.tx, call.account, type):
        _promise(call, event, endpoint, type)


def _hit(call: Call, kind: str, type: str) -> Fault | None:
    return call.stand_in.faults.hit(
        kind, method=call.method, path=call.path, event_type=type, account=lambda: call.account
    )


def _promise(call: Call, event: str, endpoint: str, type: str) -> None:
    """Write the delivery, or what the faults make of it."""

    def hit(kind: str) -> Fault | None:
        return _hit(call, kind, type)

    if hit("webhook_drop"):
        _deliver(call.tx, call.account, event, endpoint, state="dropped")
        return
    delay_ms = 0.0
    if delayed := hit("webhook_delay"):
        delay_ms += delayed.ms or 0
    if reordered := hit("webhook_reorder"):
        longest = _REORDER_MS if reordered.ms is None else reordered.ms
        delay_ms += longest * _TURNED_AROUND[(reordered.hits - 1) % len(_TURNED_AROUND)]
    for _ in range(2 if hit("webhook_duplicate") else 1):
        _deliver(call.tx, call.account, event, endpoint, delay_ms=delay_ms)


def listening(tx: Tx, account: str, type: str) -> list[str]:
    """The ids of the enabled endpoints that want this type."""
    rows = tx.sql(_LISTENING, (account, EVERY_ACCOUNT, type))
    return [row["id"] for row in rows]


_LISTENING = """
    select id from objects where kind = 'webhook_endpoint' and account in (?, ?) and body ->> '$.status' = 'enabled'
      and exists (select 1 from json_each(body, '$.enabled_events') where value in ('*', ?)) order by seq"""


def _deliver(tx: Tx, account: str, event: str, endpoint: str, *, delay_ms: float = 0, state: str = "waiting") -> None:
    due = time.time() + delay_ms / 1000
    tx.sql(
        "insert into deliveries (account, event, endpoint, first_due, due, state) values (?,?,?,?,?,?)",
        (account, event, endpoint, due, due, state),
    )


def resend(tx: Tx, id: str) -> int:
    """Deliver an event once more to every endpoint that listens; returns to how many."""
    event = tx.any("event", id)
    if event is None:
        raise missing("event", id)
    endpoints = listening(tx, event.account, event.body["type"])
    for endpoint in endpoints:
        _deliver(tx, event.account, id, endpoint)
    return len(endpoints)


def retrieve(call: Call) -> Json:
    """An event of the last 30 days."""
    found = call.tx.select(
        "kind = 'event' and account = ? and id = ? and created > ?",
        (call.account, call.args["id"], call.now - KEPT_S),
    )
    if not found:
        raise missing("event", call.args["id"])
    return _with_pending(call.tx, found[0].body)


def list_(call: Call) -> Json:
    """Events of the last 30 days, newest first; `delivery_success` compares with what endpoints have taken.

    A `type` is a name, or a group of them by a star: `charge.*`.
    """
    where, values = "created > ?", [call.now - KEPT_S]
    types = call.given("types", [])
    if types:
        where += f" and type in ({','.join('?' * len(types))})"
        values += types
    filters: tuple[str, ...] = ("type",)
    if "*" in call.given("type", ""):
        where += " and type glob ?"
        values.append(call.params["type"])
        filters = ()
    if "delivery_success" in call.params:
        where += f" and {'not ' if call.params['delivery_success'] else ''}exists ({_UNTAKEN})"
    listed = page(call, "event", filters=filters, also=(where, values))
    listed["data"] = [_with_pending(call.tx, body) for body in listed["data"]]
    return listed


def _with_pending(tx: Tx, body: Json) -> Json:
    waiting: Any = tx.sql("select count(*) from deliveries where event = ? and state = 'waiting'", (body["id"],))
    return {**body, "pending_webhooks": waiting[0][0]}
