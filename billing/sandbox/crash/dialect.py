"""What a provider tells, how it signs that, and how a method is removed there: for rows that act in its place."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import requests

from billing.flows.handlers import HANDLERS, PAYPAL_HANDLERS
from billing.sandbox import endpoint
from billing.sandbox.paypal.signing import sealed
from billing.sandbox.stripe.deliveries import Letter
from billing.sandbox.stripe.server import Server
from billing.sandbox.stripe.values import dump

Json = dict[str, Any]
Signed = Callable[[Server, str, Json], tuple[bytes, dict[str, str]]]
"""Stand-in, the webhook's secret, an event → the body of its delivery, and the headers over it."""

KEY = "sk_test_crash"
PAYPAL = endpoint.Credentials("sb-crash", "crash")
_TIMEOUT_S = 30.0


def stripes_events(server: Server) -> list[Json]:
    """Those that have a handler here, newest first."""
    query = [("limit", "100"), *(("types[]", kind) for kind in sorted(HANDLERS))]
    listed: list[Json] = _asked("GET", f"{server.url}/v1/events", params=query, auth=(KEY, "")).json()["data"]
    return listed


def paypals_events(server: Server) -> list[Json]:
    """As `stripes_events`."""
    with server.stand_in.store.transaction() as tx:
        known = [dict(each.body) for each in tx.walk("event")]
    return [each for each in reversed(known) if each["type"] in PAYPAL_HANDLERS]


def signed_by_stripe(_: Server, secret: str, event: Json) -> tuple[bytes, dict[str, str]]:
    """See `Signed`."""
    body, moment = json.dumps(event), int(time.time())
    signature = hmac.new(secret.encode(), f"{moment}.{body}".encode(), hashlib.sha256).hexdigest()
    return body.encode(), {"Content-Type": "application/json", "Stripe-Signature": f"t={moment},v1={signature}"}


def signed_by_paypal(server: Server, secret: str, event: Json) -> tuple[bytes, dict[str, str]]:
    """See `Signed`."""
    letter = Letter(seq=1, tries=0, first_due=0, url="", secret=secret, body=dump(event).encode())
    return sealed(server.stand_in, letter)


def removed_at_stripe(server: Server, method_ref: str) -> None:
    """A method is gone there."""
    _asked("POST", f"{server.url}/v1/payment_methods/{method_ref}/detach", auth=(KEY, ""))


def removed_at_paypal(server: Server, method_ref: str) -> None:
    """As `removed_at_stripe`."""
    _asked("DELETE", f"{server.url}/v3/vault/payment-tokens/{method_ref}", headers=endpoint.bearer(server.url, PAYPAL))


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """Bring a delivery. Returns the status of the answer."""
    with requests.Session() as session:
        session.trust_env = False
        return session.post(url, data=body, headers=headers, timeout=_TIMEOUT_S).status_code


def _asked(method: str, url: str, **given: Any) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(method, url, timeout=_TIMEOUT_S, **given)
    answer.raise_for_status()
    return answer
