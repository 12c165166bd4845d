"""Events and the webhooks that hear of them, in PayPal's words; deliveries are rows as in the other stand-in."""

from __future__ import annotations

from urllib.parse import urlsplit

from billing.sandbox.paypal.errors import invalid, missing
from billing.sandbox.paypal.values import instant, links, new_id, second
from billing.sandbox.stripe.events import announce
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.values import Json

WEBHOOK = "webhook_endpoint"
_OURS = ("object", "created", "type")


def happen(call: Call, type_: str, resource_type: str, resource: Json) -> None:
    """Note that something happened. The resource is as PayPal shows it, payer included."""
    body: Json = {
        "id": f"WH-{new_id()}-{new_id()}",
        "object": "event",
        "created": call.now,
        "type": type_,
        "event_version": "1.0",
        "create_time": instant(call.now),
        "resource_type": resource_type,
        "resource_version": "2.0",
        "event_type": type_,
        "summary": "Something happened.",
        "resource": resource,
    }
    call.tx.add(call.account, body)
    announce(call, body["id"], type_)


def shown(body: Json) -> Json:
    """An event without what only the books want."""
    return {name: value for name, value in body.items() if name not in _OURS}


def create_webhook(call: Call) -> Json:
    """A webhook: its id is what signatures name."""
    url, types = call.given("url"), call.given("event_types")
    if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https") or not isinstance(types, list):
        raise invalid("INVALID_PARAMETER_VALUE", "A webhook has a url and event_types.")
    body = {
        "id": new_id(),
        "object": WEBHOOK,
        "created": call.now,
        "url": url,
        "status": "enabled",
        "enabled_events": [each["name"] for each in types],
    }
    call.tx.add(call.account, body, {"secret": body["id"]})
    return {"id": body["id"], "url": url, "event_types": types}


def remove_webhook(call: Call) -> Json:
    """Nothing is delivered to it any more."""
    if call.tx.get(call.account, WEBHOOK, call.args["id"]) is None:
        raise missing("webhook")
    call.tx.remove(call.args["id"])
    return {}


def list_(call: Call) -> Json:
    """Events of a time, the newest first; a link leads to the next page. `count` is of this page alone."""
    first, last = (second(call.given(name, "")) for name in ("start_time", "end_time"))
    before, size = int(call.given("index_id", str(2**62))), int(call.given("page_size", "10"))
    rows = call.tx.select(
        "kind = 'event' and account = ? and created >= ? and created < ? and seq < ?",
        (call.account, first, last, before),
        order="seq desc",
        limit=size,
    )
    more = {"move_to": "next", "index_id": str(rows[-1].seq)} if len(rows) == size else None
    page: Json = {"events": [shown(each.body) for each in rows], "count": len(rows)}
    return page | {"links": links(call, "/v1/notifications/webhooks-events", more)}
