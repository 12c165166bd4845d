"""The provider of a cycle: its stand-in, what processes are told of it, and the paths at which money moves there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from billing.sandbox import endpoint
from billing.sandbox.crash import dialect
from billing.sandbox.crash.dialect import KEY, PAYPAL
from billing.sandbox.paypal.app import create_app as paypal_app
from billing.sandbox.stripe.app import create_app as stripe_app
from billing.sandbox.stripe.server import Make, Server


@dataclass(frozen=True, slots=True)
class House:
    """A provider as rows know it."""

    name: str
    make: Make
    charges: str
    """Where a charge is made: the path of the first one of an invoice."""
    next_tries: str
    """How the path of every later try begins."""
    refunds: str
    base: str
    """The setting that names its address."""
    tell: Callable[[str, str, Path], Mapping[str, str]]
    """Makes its webhook known: address of the stand-in, origin of the receiver, a folder → settings of processes."""
    events: Callable[[Server], list[dialect.Json]]
    signed: dialect.Signed
    remove: Callable[[Server, str], None]
    """A method, by its id there."""


def _tell_stripe(base: str, receiver: str, _: Path) -> Mapping[str, str]:
    made = endpoint.register(base, key=KEY, url=f"{receiver}/webhooks/stripe")
    return {"STRIPE_API_BASE": base, "STRIPE_API_KEY": KEY, "STRIPE_WEBHOOK_SECRET": made[1]}


def _tell_paypal(base: str, receiver: str, folder: Path) -> Mapping[str, str]:
    webhook = endpoint.register_paypal(base, PAYPAL, url=f"{receiver}/webhooks/paypal")
    kept = endpoint.keep_root(base, folder / "paypal-root.pem")
    return {
        "PAYPAL_API_BASE": base,
        "PAYPAL_CLIENT_ID": PAYPAL.client_id,
        "PAYPAL_CLIENT_SECRET": PAYPAL.client_secret,
        "PAYPAL_WEBHOOK_ID": webhook,
        "PAYPAL_CERT_ROOTS": str(kept),
    }


HOUSES = {
    "stripe": House(
        "stripe",
        stripe_app,
        "/v1/payment_intents",
        "/v1/payment_intents/",
        "/v1/refunds",
        "STRIPE_API_BASE",
        _tell_stripe,
        dialect.stripes_events,
        dialect.signed_by_stripe,
        dialect.removed_at_stripe,
    ),
    "paypal": House(
        "paypal",
        paypal_app,
        "/v2/checkout/orders",
        "/v2/checkout/orders",
        "/v2/payments/captures",
        "PAYPAL_API_BASE",
        _tell_paypal,
        dialect.paypals_events,
        dialect.signed_by_paypal,
        dialect.removed_at_paypal,
    ),
}
