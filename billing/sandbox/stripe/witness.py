"""The witness, under `/_sandbox/`: what money moved or tried to, what was asked, what is going on.

Each function takes the stand-in, an id that it does not need, and the query. It tells of all accounts, oldest first.
"""

from __future__ import annotations

import json
from typing import Any

from billing.kernel.clock import format_instant
from billing.sandbox.stripe import deliveries, requestlog, timers
from billing.sandbox.stripe.errors import invalid, missing
from billing.sandbox.stripe.standin import StandIn
from billing.sandbox.stripe.tx import Stored, Tx
from billing.sandbox.stripe.values import Json
from billing.sandbox.stripe.wishes import MOST


def charges(stand_in: StandIn, _: str, query: Json) -> list[Json]:
    """Every charge that moved money or tried to. `metadata` is the intent's of today."""
    with stand_in.store.transaction() as tx:
        found = _oldest_first(tx, "charge", query)
        metadata = _metadata_of_intents(tx, found)
    return [_charge(each, metadata[each.body["payment_intent"]]) for each in found]


def _metadata_of_intents(tx: Tx, found: list[Stored]) -> dict[str, Json]:
    rows = tx.sql(
        "select id, json_extract(body, '$.metadata') as metadata from objects where kind = 'payment_intent' and id in"
        " (select payment_intent from objects where kind = 'charge' and seq between ? and ?)",
        _stretch(found),
    )
    return {row["id"]: json.loads(row["metadata"]) for row in rows}


def _charge(charge: Stored, metadata: Json) -> Json:
    body = charge.body
    names = ("id", "payment_intent", "customer", "amount", "currency", "status", "created", "failure_code", "disputed")
    return {
        **{name: body[name] for name in names},
        "amount_refunded": body["amount_refunded"],
        "decline_code": (body["outcome"] or {}).get("reason"),
        "idempotency_key": charge.hidden["key"],
        "metadata": metadata,
        "account": charge.account,
    }


def intents(stand_in: StandIn, _: str, query: Json) -> list[Json]:
    """Every intent, with how often it was confirmed and the charges that came of it."""
    with stand_in.store.transaction() as tx:
        found = _oldest_first(tx, "payment_intent", query)
        made: dict[str, list[str]] = {each.id: [] for each in found}
        charges_of = (
            "select c.id, c.payment_intent from objects i join objects c on c.payment_intent = i.id"
            " where i.kind = 'payment_intent' and i.seq between ? and ? and c.kind = 'charge' order by c.seq"
        )
        for row in tx.sql(charges_of, _stretch(found)):
            made[row["payment_intent"]].append(row["id"])
    return [_intent(each, made[each.id]) for each in found]


def _intent(intent: Stored, made: list[str]) -> Json:
    names = ("id", "status", "customer", "amount", "currency", "metadata", "created", "cancellation_reason")
    return {
        **{name: intent.body[name] for name in names},
        "confirms": intent.hidden["confirms"],
        "charges": made,
        "account": intent.account,
    }


def events(stand_in: StandIn, _: str, query: Json) -> list[Json]:
    """Every event, and whether a delivery of it was answered with success."""
    told = (
        "select e.id, e.type, e.created, e.account, exists ("
        "select 1 from deliveries d where d.event = e.id and d.state = 'delivered') as delivered"
        " from objects e where e.kind = 'event' and e.seq > ? order by e.seq limit ?"
    )
    with stand_in.store.transaction() as tx:
        rows = tx.sql(told, (_after(tx, "event", query), _limit(query)))
    return [{**dict(row), "delivered": bool(row["delivered"])} for row in rows]


def refunds(stand_in: StandIn, _: str, query: Json) -> list[Json]:
    """Every refund."""
    with stand_in.store.transaction() as tx:
        found = _oldest_first(tx, "refund", query)
    names = ("id", "charge", "amount", "currency", "status", "metadata")
    return [{**{name: each.body[name] for name in names}, "account": each.account} for each in found]


def disputes(stand_in: StandIn, _: str, query: Json) -> list[Json]:
    """Every dispute, with what it has moved."""
    with stand_in.store.transaction() as tx:
        found = _oldest_first(tx, "dispute", query)
    names = ("id", "charge", "amount", "currency", "status", "balance_transactions")
    return [{**{name: each.body[name] for name in names}, "account": each.account} for each in found]


def requests(stand_in: StandIn, _: str, query: Json) -> list[Json]:
    """Every request received, oldest first."""
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
    """The stand-in's clock."""
    return {"now": format_instant(stand_in.clock.instant()), "frozen": stand_in.clock.frozen}


def faults(stand_in: StandIn, _: str, __: Json) -> list[Json]:
    """The faults switched on, with how often each hit."""
    return stand_in.faults.shown()


def config(stand_in: StandIn, _: str, __: Json) -> Json:
    """The knobs."""
    return stand_in.config.shown()


def _oldest_first(tx: Tx, kind: str, query: Json) -> list[Stored]:
    """All of a kind, or those after the id `after`, at most `limit`."""
    return tx.select("kind = ? and seq > ?", (kind, _after(tx, kind, query)), order="seq", limit=_limit(query))


def _after(tx: Tx, kind: str, query: Json) -> int:
    """The place of the object whose id is `after`; before all where none is named."""
    if "after" not in query:
        return 0
    found = tx.any(kind, query["after"])
    if found is None:
        raise missing(kind, query["after"], param="after")
    return found.seq


def _stretch(found: list[Stored]) -> tuple[int, int]:
    """From the first to the last: a page costs what it holds, however much there is besides."""
    return (found[0].seq, found[-1].seq) if found else (0, -1)


def _limit(query: Json) -> int:
    return _whole(query["limit"], "limit") if "limit" in query else -1


def _whole(text: Any, name: str) -> int:
    if not isinstance(text, str) or not text.isdecimal() or len(text) > len(str(MOST)):
        raise invalid(f"{name} is a whole number.", param=name)
    return int(text)
