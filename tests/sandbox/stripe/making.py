"""What the tests of the stand-in share: a client with the real SDK, the sandbox's own doors, a webhook receiver."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests
import stripe

KEY = "sk_test_sandbox"
CARD: dict[str, Any] = {"allowed_payment_method_types": ["card"]}


def client_of(url: str, *, key: str = KEY, timeout: float = 5) -> stripe.StripeClient:
    return stripe.StripeClient(
        key,
        base_addresses={"api": url},
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=timeout),
    )


@dataclass(frozen=True)
class World:
    """A running stand-in, as a caller sees it."""

    url: str

    @property
    def v1(self) -> Any:
        return client_of(self.url).v1

    def patient(self, seconds: float) -> Any:
        return client_of(self.url, timeout=seconds).v1

    def ask(self, method: str, path: str, *, key: str | None = KEY, **more: Any) -> requests.Response:
        """A request without the SDK."""
        headers = {**({"Authorization": f"Bearer {key}"} if key else {}), **more.pop("headers", {})}
        return requests.request(method, self.url + path, headers=headers, timeout=10, **more)

    def see(self, name: str, **query: Any) -> Any:
        answer = requests.get(f"{self.url}/_sandbox/{name}", params=query, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def tell(self, name: str, body: Any = None) -> Any:
        answer = requests.post(f"{self.url}/_sandbox/{name}", json=body, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def fault(self, kind: str, **more: Any) -> None:
        self.tell("faults", [{"kind": kind, **({"next": 1} if "rate" not in more else {}), **more}])

    def customer(self, method: str | None = None) -> Any:
        """A customer with the method of that test name attached; returns (customer id, method id)."""
        customer = self.v1.customers.create({}).id
        if method is None:
            return customer, None
        return customer, self.v1.payment_methods.attach(method, {"customer": customer}).id

    def order(self, method: str = "pm_card_visa", **more: Any) -> dict[str, Any]:
        """The parameters of an off-session charge of a new customer with that method."""
        customer, attached = self.customer(method)
        base = {"amount": 1000, "currency": "eur", "customer": customer, "payment_method": attached, "confirm": True}
        return {**base, "off_session": True, "metadata": {"payment_id": "p-1"}, **CARD, **more}

    def pay(self, method: str = "pm_card_visa", *, key: str | None = None, **more: Any) -> Any:
        return self.v1.payment_intents.create(self.order(method, **more), {"idempotency_key": key} if key else {})

    def quiet(self) -> None:
        until(lambda: self.see("state")["quiet"])


def until(true: Callable[[], Any], *, seconds: float = 10) -> Any:
    """Wait for a condition; fails when it does not come."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := true():
            return found
        time.sleep(0.02)
    raise AssertionError("the condition did not come true in time")


def refusal(call: Callable[[], Any], kind: type[stripe.StripeError] = stripe.InvalidRequestError) -> Any:
    """The error that a call ends with."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError("the call was not refused")


@dataclass
class Receiver:
    """Takes webhooks; answers with the next of `statuses`, then 200."""

    url: str
    secret: str = "whsec_of_a_test"
    statuses: list[int] = field(default_factory=list)
    taken: list[tuple[str, bytes]] = field(default_factory=list)

    def events(self, type: str | None = None) -> list[Any]:
        """The events taken so far, their signatures verified by the SDK."""
        verified = [
            stripe.Webhook.construct_event(body.decode(), signature, self.secret) for signature, body in self.taken
        ]
        return [event for event in verified if type in (None, event.type)]

    def ids(self, type: str) -> list[str]:
        return [event.id for event in self.events(type)]


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.taken.append((self.headers["Stripe-Signature"], body))
            self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
