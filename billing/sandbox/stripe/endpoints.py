"""Webhook endpoints. The signing secret is shown once, in the answer to the creation."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from billing.sandbox.stripe import objects
from billing.sandbox.stripe.errors import invalid
from billing.sandbox.stripe.events import EVERY_ACCOUNT
from billing.sandbox.stripe.finding import the
from billing.sandbox.stripe.lists import page
from billing.sandbox.stripe.params import BOOL, LIST, METADATA, PAGE, TEXT, Field, Spec, merged, required
from billing.sandbox.stripe.standin import Call, StandIn
from billing.sandbox.stripe.values import Json

CREATE_SPEC: Spec = {
    "api_version": TEXT,
    "description": TEXT,
    "enabled_events": Field("list", required=True),
    "expand": LIST,
    "metadata": METADATA,
    "url": required(),
}
UPDATE_SPEC: Spec = {
    "description": TEXT,
    "disabled": BOOL,
    "enabled_events": LIST,
    "expand": LIST,
    "metadata": METADATA,
    "url": TEXT,
}
LIST_SPEC: Spec = PAGE
_AT_START = "we_sandbox_at_start"


def at_start(stand_in: StandIn, *, url: str, secret: str) -> None:
    """The endpoint named on the command line: it hears every account and every event, and replaces an earlier one."""
    _check_url(url)
    with stand_in.store.transaction() as tx:
        tx.remove(_AT_START)
        body = objects.webhook_endpoint(stand_in.clock.now(), url=url, enabled_events=["*"], given={}, id=_AT_START)
        tx.add(EVERY_ACCOUNT, body, {"secret": secret})


def create(call: Call) -> Json:
    """A new endpoint and, this once, its secret."""
    _check_url(call.params["url"])
    secret = "whsec_" + secrets.token_urlsafe(24)
    body = objects.webhook_endpoint(
        call.now, url=call.params["url"], enabled_events=call.params["enabled_events"], given=call.params
    )
    call.tx.add(call.account, body, {"secret": secret})
    return {**body, "secret": secret}


def update(call: Call) -> Json:
    """Change what is named; `disabled` stops deliveries."""
    endpoint = the(call, "webhook_endpoint", call.args["id"])
    for name in ("description", "enabled_events", "url"):
        if name in call.params:
            endpoint.body[name] = call.params[name]
    _check_url(endpoint.body["url"])
    if "disabled" in call.params:
        endpoint.body["status"] = "disabled" if call.params["disabled"] else "enabled"
    endpoint.body["metadata"] = merged(endpoint.body["metadata"], call.given("metadata", {}))
    call.tx.save(endpoint)
    return endpoint.body


def delete(call: Call) -> Json:
    """Remove it; what waits for it is dropped."""
    endpoint = the(call, "webhook_endpoint", call.args["id"])
    call.tx.remove(endpoint.id)
    call.tx.sql("update deliveries set state = 'stopped' where endpoint = ? and state = 'waiting'", (endpoint.id,))
    return {"id": endpoint.id, "object": "webhook_endpoint", "deleted": True}


def list_(call: Call) -> Json:
    """Endpoints, newest first."""
    return page(call, "webhook_endpoint")


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise invalid("Invalid URL: an explicit scheme (such as https) must be given.", code="url_invalid", param="url")
