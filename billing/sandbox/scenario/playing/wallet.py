"""PayPal's side of a played scenario. Apart, because loading it takes a tenth of a second, and few scenarios pay so."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import requests

from billing.providers.paypal.adapter import PayPalProvider
from billing.providers.paypal.client import PayPalClient
from billing.providers.paypal.signature import Certificates
from billing.providers.road import Answered
from billing.sandbox.paypal.doors import DOORS
from billing.sandbox.paypal.serving import mounted
from billing.sandbox.paypal.settling import TIMERS
from billing.sandbox.paypal.signing import sealed
from billing.sandbox.scenario.playing.sides import Side
from billing.sandbox.scenario.playing.transports import MountedWitness
from billing.sandbox.stripe.faults import NoAnswer
from billing.sandbox.stripe.standin import stand_in_over
from billing.sandbox.stripe.store import SPILLED, Store


def paypal_side() -> Side:
    """PayPal, with every currency and amount that a scenario may name."""
    store = Store(SPILLED)
    stand_in = stand_in_over(store, seed=1, in_process=True, seal=sealed, timers=TIMERS)
    stand_in.configure({"limits": False})

    def send(method: str, url: str, headers: Mapping[str, str], body: Any) -> Answered:
        try:
            return mounted(stand_in, method, url, headers, body)
        except NoAnswer:
            raise requests.ReadTimeout from None

    client = PayPalClient(
        send, base_address="http://stand-in", client_id="sb-simulate", client_secret=secrets.token_hex(16)
    )
    # A scenario's charges end with their answers, so nothing is delivered and no certificate is fetched.
    closed = Certificates(fetch=lambda _: b"", roots=b"", livemode=False)
    provider = PayPalProvider(client=client, certificates=closed, livemode=False, documented_only=False)
    return Side(stand_in, store, provider, MountedWitness(stand_in, provider="paypal", doors=DOORS))
