"""A world is one provider with a stand-in behind it: what the contract suite needs of any of them."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Protocol
from uuid import uuid4

import requests

from billing.providers.port import Provider
from billing.providers.stripe.adapter import StripeProvider
from billing.providers.stripe.client import build_client
from billing.providers.stripe.sent import told
from billing.providers.stripe.witness import Witness
from billing.sandbox.stripe.server import serving
from billing.sandbox.stripe.store import MEMORY, Store


class Behaviour(StrEnum):
    """What a test method does when it is charged."""

    GOOD = "good"
    OTHER_GOOD = "other_good"
    NO_FUNDS = "no_funds"
    LOST = "lost"
    EXPIRED = "expired"
    GENERIC = "generic"
    AUTHENTICATE = "authenticate"
    PROCESSING = "processing"
    FAILS_LATER = "fails_later"
    UNAVAILABLE_ONCE = "unavailable_once"


class Fault(StrEnum):
    """What befalls the next charge on its way."""

    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    DISCONNECT_AFTER = "disconnect_after"
    ERROR_BEFORE = "error_500_before"
    ERROR_AFTER = "error_500_after"
    RATE_LIMIT = "rate_limit"
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class Moved:
    """One charge as the stand-in's books have it."""

    charge_ref: str
    status: str
    amount_minor: int
    currency: str
    key: str | None
    invoice_id: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook as it arrived."""

    raw: bytes
    signature: str
    at: datetime


class World(Protocol):
    """One provider account and the levers of its stand-in."""

    provider: Provider
    secret: str

    def vaulted(self, behaviour: Behaviour, *, customer_ref: str | None = None) -> tuple[str, str]:
        """A customer (a new one, or that one) with a method that behaves so: their two ids."""
        ...

    def method_name(self, behaviour: Behaviour) -> str:
        """The provider's test name of such a method."""
        ...

    def next_charge(self, fault: Fault) -> None: ...
    def moved(self) -> list[Moved]: ...
    def breaches(self) -> list[str]: ...
    def now(self) -> datetime: ...
    def advance(self, by: timedelta) -> None: ...
    def limit_confirms(self, most: int) -> None: ...
    def with_dead_key(self) -> Provider: ...
    def out_of_reach(self) -> Provider: ...
    def listening(self) -> contextlib.AbstractContextManager[None]:
        """Have every event delivered, for as long as the block runs; `secret` signs them."""
        ...

    def delivery(self, event_type: str) -> Delivery: ...


_NAMES = {
    Behaviour.GOOD: "pm_card_visa",
    Behaviour.OTHER_GOOD: "pm_card_mastercard",
    Behaviour.NO_FUNDS: "pm_card_visa_chargeDeclinedInsufficientFunds",
    Behaviour.LOST: "pm_card_visa_chargeDeclinedLostCard",
    Behaviour.EXPIRED: "pm_card_chargeDeclinedExpiredCard",
    Behaviour.GENERIC: "pm_card_chargeCustomerFail",
    Behaviour.AUTHENTICATE: "pm_card_authenticationRequired",
    Behaviour.PROCESSING: "pm_sandbox_processing",
    Behaviour.FAILS_LATER: "pm_sandbox_processingFails",
    Behaviour.UNAVAILABLE_ONCE: "pm_sandbox_processingError",
}


def stripe_provider(address: str, *, api_key: str, read_s: float = 1) -> StripeProvider:
    """The adapter as wiring would build it, towards a stand-in."""
    client = build_client(api_key=api_key, connect_s=1, read_s=read_s, base_address=address)
    return StripeProvider(client=client, livemode=False)


@dataclass(slots=True)
class StripeWorld:
    """Stripe's adapter over HTTP to the stand-in."""

    address: str
    provider: Provider
    account_ref: str
    api_key: str
    deliveries: queue.Queue[Delivery] = field(default_factory=queue.Queue)
    secret: str = ""

    @property
    def witness(self) -> Witness:
        return Witness(self.address)

    def vaulted(self, behaviour: Behaviour, *, customer_ref: str | None = None) -> tuple[str, str]:
        owner = customer_ref or self.provider.create_customer(anonymous_id=uuid4(), key=str(uuid4()))
        name = self.method_name(behaviour)
        return owner, self.provider.attach_method(customer_ref=owner, method_ref=name, key=str(uuid4())).method_ref

    def method_name(self, behaviour: Behaviour) -> str:
        return _NAMES[behaviour]

    def next_charge(self, fault: Fault) -> None:
        ms = {"ms": 300} if fault is Fault.SLOW else {}
        self.witness.add_faults({"kind": fault.value, "next": 1, "path": "/v1/payment_intents", **ms})

    def moved(self) -> list[Moved]:
        return [
            Moved(each.charge_ref, each.status, each.amount_minor, each.currency, each.key, each.invoice_id)
            for each in self.witness.charges()
            if each.account_ref == self.account_ref
        ]

    def breaches(self) -> list[str]:
        return list(told(each for each in self.witness.requests() if each.account_ref in (self.account_ref, None)))

    def now(self) -> datetime:
        return self.witness.clock()

    def advance(self, by: timedelta) -> None:
        self.witness.set_clock(self.witness.clock() + by)

    def limit_confirms(self, most: int) -> None:
        requests.post(f"{self.address}/_sandbox/config", json={"max_confirms": most}, timeout=5).raise_for_status()

    def with_dead_key(self) -> Provider:
        return stripe_provider(self.address, api_key="key_that_was_revoked")

    def out_of_reach(self) -> Provider:
        return stripe_provider("http://127.0.0.1:9", api_key=self.api_key)

    def delivery(self, event_type: str) -> Delivery:
        """The next delivery of this type, waited for."""
        while True:
            delivery = self.deliveries.get(timeout=10)
            if f'"{event_type}"'.encode() in delivery.raw:
                return delivery

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        with _receiving(self.deliveries) as receiver:
            answer = requests.post(
                f"{self.address}/v1/webhook_endpoints",
                data={"url": receiver, "enabled_events[]": "*"},
                headers={"Authorization": f"Bearer {self.api_key}"},
                timeout=5,
            )
            answer.raise_for_status()
            self.secret = answer.json()["secret"]
            yield


@contextlib.contextmanager
def stripe_worlds() -> Iterator[Callable[[], World]]:
    """One stand-in; each world is a new account in it, with the stand-in's clock, faults and settings as at first."""
    with serving(Store(MEMORY), seed=1) as standing:

        def fresh() -> World:
            witness = Witness(standing.url)
            witness.clear_faults()
            witness.set_clock(None)
            api_key = f"sk_test_{uuid4().hex}"
            provider = stripe_provider(standing.url, api_key=api_key)
            world = StripeWorld(
                address=standing.url,
                provider=provider,
                account_ref=provider.account().account_ref,
                api_key=api_key,
            )
            world.limit_confirms(10)
            return world

        yield fresh


@contextlib.contextmanager
def _receiving(deliveries: queue.Queue[Delivery]) -> Iterator[str]:
    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            deliveries.put(Delivery(raw, self.headers["Stripe-Signature"], datetime.now().astimezone()))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


WORLDS = {"stripe": stripe_worlds}
