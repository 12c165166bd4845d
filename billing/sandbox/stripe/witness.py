"""The witness and the sandbox's own doors, under `/_sandbox/`: what moved, what was asked, and what shall happen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from billing.kernel.clock import format_instant, parse_instant
from billing.kernel.errors import Refused
from billing.sandbox.stripe import authenticating, deliveries, disputes, events, refunds, requestlog, settling, timers
from billing.sandbox.stripe.errors import invalid, missing
from billing.sandbox.stripe.standin import Call, StandIn
from billing.sandbox.stripe.tx import Stored, Tx
from billing.sandbox.stripe.values import Json

Door = Callable[[StandIn, str, Any], Any]
"""Takes the stand-in, the id of the path (or ""), and the query (GET) or the JSON body (POST)."""


def charges(stand_in: StandIn, _: str, query: Json) -> list[Json]:
    """Every charge that moved money or tried to, oldest first. `metadata` is the intent's of today."""
    with stand_in.store.transaction() as tx:
        found = _oldest_first(tx, "charge", query)
        return [_charge(tx, each) for each in found]


def _charge(tx: Tx, charge: Stored) -> Json:
    body = charge.body
    names = ("id", "payment_intent", "customer", "amount", "currency", "status", "created", "failure_code", "disputed")
    intent = tx.any("payment_intent", body["payment_intent"])
    return {
        **{name: body[name] for name in names},
        "amount_refunded": body["amount_refunded"],
        "decline_code": (body["outcome"] or {}).get("reason"),
        "idempotency_key": charge.hidden["key"],
        "metadata": intent.body["metadata"] if intent else body["metadata"],
        "account": charge.account,
    }


def intents(stand_in: StandIn, _: str, query: Json) -> list[Json]:
    """Every intent, oldest first, with how often it was confirmed and the charges that came of it."""
    with stand_in.store.transaction() as tx:
        found = _oldest_first(tx, "payment_intent", query)
        return [_intent(tx, each) for each in found]


def _intent(tx: Tx, intent: Stored) -> Json:
    names = ("id", "status", "customer", "amount", "currency", "metadata", "created", "cancellation_reason")
    made = tx.sql("select id from objects where kind = 'charge' and payment_intent = ? order by seq", (intent.id,))
    return {
        **{name: intent.body[name] for name in names},
        "confirms": intent.hidden["confirms"],
        "charges": [row["id"] for row in made],
        "account": intent.account,
    }


def requests(stand_in: StandIn, _: str, query: Json) -> list[Json]:
    with stand_in.store.transaction() as tx:
        return requestlog.shown(tx, after=_whole(query.get("after", "0"), "after"), limit=_limit(query))


def state(stand_in: StandIn, _: str, __: Json) -> Json:
    """What is going on. `quiet`: no request unanswered, no webhook waiting, no timer due."""
    with stand_in.store.transaction() as tx:
        waiting, due = deliveries.waiting(tx), timers.waiting(tx, until=stand_in.clock.now())
        kinds = tx.sql("select kind, count(*) as n from objects group by kind")
        received = tx.sql("select count(*) from requests")[0][0]
    flying = stand_in.flying.requests
    return {
        "in_flight_requests": flying,
        "undelivered_webhooks": waiting,
        "due_timers": due,
        "quiet": not (flying or waiting or due),
        "requests": received,
        "objects": {row["kind"]: row["n"] for row in kinds},
    }


def clock(stand_in: StandIn, _: str, __: Json) -> Json:
    return {"now": format_instant(stand_in.clock.instant()), "frozen": stand_in.clock.frozen}


def set_clock(stand_in: StandIn, _: str, wish: Any) -> Json:
    """`{"now": "2026-01-31T09:00:00Z"}` stops the clock at that instant; null lets it run with the wall again."""
    if not isinstance(wish, dict) or set(wish) - {"now"}:
        raise invalid('The clock is set with {"now": an ISO 8601 instant or null}.', param="now")
    try:
        stand_in.clock.set(parse_instant(wish["now"], field="now") if wish.get("now") else None)
    except (Refused, TypeError) as error:
        raise invalid(str(error), param="now") from error
    stand_in.wake.set()
    return clock(stand_in, "", {})


def faults(stand_in: StandIn, _: str, __: Json) -> list[Json]:
    return stand_in.faults.shown()


def add_faults(stand_in: StandIn, _: str, wish: Any) -> list[Json]:
    stand_in.faults.add(wish)
    return stand_in.faults.shown()


def clear_faults(stand_in: StandIn, _: str, __: Any) -> list[Json]:
    stand_in.faults.clear()
    return []


def config(stand_in: StandIn, _: str, __: Json) -> Json:
    return stand_in.config.shown()


def configure(stand_in: StandIn, _: str, wish: Any) -> Json:
    if not isinstance(wish, dict):
        raise invalid("Settings are given as a JSON object.")
    return stand_in.configure(wish).shown()


def resend(stand_in: StandIn, id: str, _: Any) -> Json:
    with stand_in.store.transaction() as tx:
        count = events.resend(tx, id)
    stand_in.wake.set()
    return {"id": id, "deliveries": count}


def dispute(stand_in: StandIn, _: str, wish: Json) -> Json:
    """`{"charge", "amount"?, "reason"?, "inquiry"?}` opens a dispute."""
    return _for(
        stand_in,
        "charge",
        wish.get("charge", ""),
        lambda call, id: disputes.open_(
            call,
            id,
            amount=wish.get("amount"),
            reason=wish.get("reason", "fraudulent"),
            inquiry=wish.get("inquiry", False),
        ),
    )


def close_dispute(stand_in: StandIn, id: str, wish: Json) -> Json:
    """`{"status": "won" | "lost" | "warning_closed"}`."""
    return _for(stand_in, "dispute", id, lambda call, id: disputes.close(call, id, wish.get("status", "")))


def tell_refund(stand_in: StandIn, id: str, wish: Json) -> Json:
    """`{"status": "succeeded" | "failed"}`."""
    return _for(stand_in, "refund", id, lambda call, id: refunds.tell(call, id, wish.get("status", "")))


def settle(stand_in: StandIn, id: str, wish: Json) -> Json:
    """`{"succeeded": true | false}` ends a payment that is processing."""
    how = wish.get("succeeded", True) is True
    return _for(stand_in, "payment_intent", id, lambda call, id: settling.tell(call, id, succeeded=how))


def authenticate(stand_in: StandIn, id: str, wish: Json) -> Json:
    """`{"succeeded": true | false}`: the customer's part of a payment or set-up that requires action."""
    how = wish.get("succeeded", True) is True
    if id.startswith("seti_"):
        return _for(
            stand_in, "setup_intent", id, lambda call, id: authenticating.authenticate_setup(call, id, succeeded=how)
        )
    return _for(
        stand_in, "payment_intent", id, lambda call, id: authenticating.authenticate_payment(call, id, succeeded=how)
    )


DOORS: dict[tuple[str, str], Door] = {
    ("GET", "charges"): charges,
    ("GET", "intents"): intents,
    ("GET", "requests"): requests,
    ("GET", "state"): state,
    ("GET", "clock"): clock,
    ("POST", "clock"): set_clock,
    ("GET", "faults"): faults,
    ("POST", "faults"): add_faults,
    ("DELETE", "faults"): clear_faults,
    ("GET", "config"): config,
    ("POST", "config"): configure,
    ("POST", "events/<id>/resend"): resend,
    ("POST", "disputes"): dispute,
    ("POST", "disputes/<id>/close"): close_dispute,
    ("POST", "refunds/<id>"): tell_refund,
    ("POST", "payment_intents/<id>/settle"): settle,
    ("POST", "payment_intents/<id>/authenticate"): authenticate,
    ("POST", "setup_intents/<id>/authenticate"): authenticate,
}


def _for(stand_in: StandIn, kind: str, id: str, act: Callable[[Call, str], Json]) -> Json:
    """Act on an object of whatever account, in one transaction, as something that happens by itself."""
    with stand_in.store.transaction() as tx:
        found = tx.any(kind, id)
        if found is None:
            raise missing(kind, id)
        result = act(Call(stand_in, tx, found.account, stand_in.clock.now()), id)
    stand_in.wake.set()
    return result


def _oldest_first(tx: Tx, kind: str, query: Json) -> list[Stored]:
    """All of a kind, or those after the id `after`, at most `limit`."""
    after = 0
    if "after" in query:
        found = tx.any(kind, query["after"])
        if found is None:
            raise missing(kind, query["after"], param="after")
        after = found.seq
    return tx.select("kind = ? and seq > ?", (kind, after), order="seq", limit=_limit(query))


def _limit(query: Json) -> int:
    return _whole(query["limit"], "limit") if "limit" in query else -1


def _whole(text: Any, name: str) -> int:
    if not isinstance(text, str) or not text.isdecimal():
        raise invalid(f"{name} is a whole number.", param=name)
    return int(text)
