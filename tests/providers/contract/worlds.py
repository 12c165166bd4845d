"""A world is one provider with a stand-in behind it: what the contract suite needs of any of them."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, ClassVar, Protocol
from uuid import uuid4

import pytest
import requests

from billing.providers.paypal.adapter import PayPalProvider
from billing.providers.paypal.client import PayPalClient, fetched
from billing.providers.paypal.sent import told as paypal_told
from billing.providers.paypal.signature import Certificates
from billing.providers.port import Provider
from billing.providers.road import Road
from billing.providers.stripe.adapter import StripeProvider
from billing.providers.stripe.client import build_client
from billing.providers.stripe.sent import told
from billing.providers.stripe.witness import Witness
from billing.sandbox.paypal.app import create_app as paypal_app
from billing.sandbox.stripe.server import serving
from billing.sandbox.stripe.store import MEMORY, Store


def only_where(trait: bool, why: str) -> None:  # noqa: FBT001 (a condition)
    """The rest is about providers that do so."""
    if not trait:
        pytest.skip(why)


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


@dataclass(frozen=True, slots=True)
class Traits:
    """In what providers rightly differ; everything else is the same for all."""

    reuses_intents: bool
    """Whether the next attempt for an invoice confirms the same intent."""
    keeps_failures: bool
    """Whether a 5xx is kept under its key and given back."""
    compares_parameters: bool
    """Whether it refuses a key that was used with other parameters, rather than answer as at first."""
    has_customers: bool
    """Whether it keeps customers of its own, checks whose a method is, and tells their methods apart by cards."""
    authenticates: bool
    """Whether a payment may wait for its customer, who is at hand."""
    has_minimum: bool
    forgets_keys_after: timedelta
    decimals: tuple[tuple[str, int], ...]
    """Amounts in currencies of other decimals than two."""
    refused: frozenset[Behaviour]
    """Declines that leave nothing at the provider: no intent, no charge."""
    paid: str
    """The type of the event that tells of a payment; its object is `paid_of`."""
    paid_of: str


class World(Protocol):
    """One provider account and the levers of its stand-in."""

    provider: Provider
    secret: str
    traits: Traits

    @property
    def witness(self) -> Witness:
        """The stand-in's own books."""
        ...

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
    def next_list(self, fault: Fault) -> None: ...
    def next_refund(self, fault: Fault) -> None: ...
    def lists_late(self, seconds: int) -> None:
        """Lists of the whole account don't show the last so many seconds."""
        ...

    def dispute(self, charge_ref: str, *, inquiry: bool) -> str: ...
    def close_dispute(self, dispute_ref: str, status: str) -> None: ...
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


STRIPE_TRAITS = Traits(
    reuses_intents=True,
    keeps_failures=True,
    compares_parameters=True,
    has_customers=True,
    authenticates=True,
    has_minimum=True,
    forgets_keys_after=timedelta(hours=24),
    decimals=(("jpy", 500), ("isk", 700), ("kwd", 5120), ("mga", 500_000)),
    refused=frozenset(),
    paid="payment_intent.succeeded",
    paid_of="payment_intent",
)


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
    traits: Traits = STRIPE_TRAITS
    lists: ClassVar[str] = "/v1/payment_intents"
    refunds: ClassVar[str] = "/v1/refunds"

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

    def next_list(self, fault: Fault) -> None:
        self.witness.add_faults({"kind": fault.value, "next": 1, "path": self.lists})

    def next_refund(self, fault: Fault) -> None:
        self.witness.add_faults({"kind": fault.value, "next": 1, "path": self.refunds, "method": "POST"})

    def lists_late(self, seconds: int) -> None:
        self._post("config", {"search_lag_s": seconds})

    def dispute(self, charge_ref: str, *, inquiry: bool) -> str:
        told = self._post("disputes", {"charge": charge_ref, "inquiry": inquiry})
        return str(told.get("id") or told["dispute_id"])

    def close_dispute(self, dispute_ref: str, status: str) -> None:
        self._post(f"disputes/{dispute_ref}/close", {"status": status})

    def _post(self, door: str, wish: dict[str, Any]) -> dict[str, Any]:
        answer = requests.post(f"{self.address}/_sandbox/{door}", json=wish, timeout=5)
        answer.raise_for_status()
        return dict(answer.json())

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


def _paypal_signature(headers: Mapping[str, str]) -> str:
    upper = {name.upper(): value for name, value in headers.items()}
    names = ("TRANSMISSION-ID", "TRANSMISSION-TIME", "CERT-URL", "AUTH-ALGO", "TRANSMISSION-SIG")
    return "\n".join([*(upper[f"PAYPAL-{name}"] for name in names), "127.0.0.1"])


@contextlib.contextmanager
def _receiving(
    deliveries: queue.Queue[Delivery],
    signature_of: Callable[[Mapping[str, str]], str] = lambda headers: headers["Stripe-Signature"],
) -> Iterator[str]:
    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            deliveries.put(Delivery(raw, signature_of(dict(self.headers)), datetime.now().astimezone()))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


_WALLETS = {
    Behaviour.GOOD: "B-SANDBOX-GOOD",
    Behaviour.OTHER_GOOD: "B-SANDBOX-OTHER",
    Behaviour.NO_FUNDS: "B-SANDBOX-NOFUNDS",
    Behaviour.LOST: "B-SANDBOX-LOST",
    Behaviour.EXPIRED: "B-SANDBOX-EXPIRED",
    Behaviour.GENERIC: "B-SANDBOX-DECLINED",
    Behaviour.AUTHENTICATE: "B-SANDBOX-ACTION",
    Behaviour.PROCESSING: "B-SANDBOX-PENDING",
    Behaviour.FAILS_LATER: "B-SANDBOX-PENDINGFAILS",
    Behaviour.UNAVAILABLE_ONCE: "B-SANDBOX-FAULT",
}
PAYPAL_TRAITS = Traits(
    reuses_intents=False,
    keeps_failures=False,
    compares_parameters=False,
    has_customers=False,
    authenticates=False,
    has_minimum=False,
    forgets_keys_after=timedelta(hours=6),
    decimals=(("jpy", 500), ("huf", 70_000), ("twd", 5_100)),
    refused=frozenset({Behaviour.GENERIC}),
    paid="PAYMENT.CAPTURE.COMPLETED",
    paid_of="capture",
)


class PayPalWorld(StripeWorld):
    """PayPal's adapter over HTTP to its stand-in, whose levers are the same."""

    lists: ClassVar[str] = "/v1/reporting/transactions"
    refunds: ClassVar[str] = "/v2/payments/captures"

    @property
    def witness(self) -> Witness:
        return Witness(self.address, provider="paypal")

    def method_name(self, behaviour: Behaviour) -> str:
        return _WALLETS[behaviour]

    def next_charge(self, fault: Fault) -> None:
        ms = {"ms": 300} if fault is Fault.SLOW else {}
        self.witness.add_faults({"kind": fault.value, "next": 1, "path": "/v2/checkout/orders", **ms})

    def breaches(self) -> list[str]:
        return list(
            paypal_told(each for each in self.witness.requests() if each.account_ref in (self.account_ref, None))
        )

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        with _receiving(self.deliveries, _paypal_signature) as receiver:
            token = requests.post(
                f"{self.address}/v1/oauth2/token",
                data={"grant_type": "client_credentials"},
                auth=(self.api_key, "secret"),
                timeout=5,
            ).json()
            answer = requests.post(
                f"{self.address}/v1/notifications/webhooks",
                json={"url": receiver, "event_types": [{"name": "*"}]},
                headers={"Authorization": f"Bearer {token['access_token']}"},
                timeout=5,
            )
            answer.raise_for_status()
            self.secret = answer.json()["id"]
            yield

    def with_dead_key(self) -> Provider:
        return paypal_provider(self.address, client_id="revoked")

    def out_of_reach(self) -> Provider:
        return paypal_provider("http://127.0.0.1:9", client_id=self.api_key)


def paypal_provider(address: str, *, client_id: str, root: bytes = b"", read_s: float = 1) -> PayPalProvider:
    """The adapter as wiring would build it, towards a stand-in."""
    road = Road(connect_s=1, read_s=read_s)
    client = PayPalClient(road.send, base_address=address, client_id=client_id, client_secret="secret")
    certificates = Certificates(fetch=lambda url: fetched(road, url), roots=root, livemode=False, own_origin=address)
    return PayPalProvider(client=client, certificates=certificates, livemode=False)


@contextlib.contextmanager
def paypal_worlds() -> Iterator[Callable[[], World]]:
    """As `stripe_worlds`."""
    with serving(Store(MEMORY), seed=1, make=paypal_app) as standing:

        def fresh() -> World:
            witness = Witness(standing.url)
            witness.clear_faults()
            witness.set_clock(None)
            client_id = f"sb-{uuid4().hex}"
            root = requests.get(f"{standing.url}/_sandbox/root", timeout=5).json()["pem"].encode()
            provider = paypal_provider(standing.url, client_id=client_id, root=root)
            account_ref = provider.account().account_ref
            return PayPalWorld(standing.url, provider, account_ref, client_id, traits=PAYPAL_TRAITS)

        yield fresh


WORLDS = {"stripe": stripe_worlds, "paypal": paypal_worlds}
