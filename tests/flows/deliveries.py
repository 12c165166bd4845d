"""Deliveries as the provider makes them: bodies, signatures, and what became of them in the inbox."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping

import requests
from sqlalchemy import select, text

from billing.flows.receiving import Delivery
from billing.models import ProviderEvent
from tests.flows.company import START, Company


def event_body(
    acme: Company, *, ref: str = "evt_test1", type_: str = "payment_intent.succeeded", object_ref: str = "pi_none"
) -> bytes:
    return json.dumps(
        {
            "id": ref,
            "object": "event",
            "type": type_,
            "created": int(START.timestamp()),
            "livemode": False,
            "data": {"object": {"id": object_ref, "object": "payment_intent"}},
        }
    ).encode()


def signed(acme: Company, raw: bytes, *, secret: str | None = None, at: float | None = None) -> dict[str, str]:
    stamp = int(time.time() if at is None else at)
    key = secret or acme.parts.settings.webhook_secrets("default")[0]
    digest = hmac.new(key.encode(), b"%d.%b" % (stamp, raw), hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={stamp},v1={digest}", "Content-Type": "application/json"}


def post(acme: Company, raw: bytes, headers: Mapping[str, str | None]) -> requests.Response:
    return requests.post(f"{acme.receiver}/webhooks/stripe", data=raw, headers=headers, timeout=10)


def stored(acme: Company) -> list[ProviderEvent]:
    with acme.begin() as session:
        return list(session.scalars(select(ProviderEvent).order_by(ProviderEvent.id)))


def deliveries(acme: Company, *bodies: bytes) -> list[Delivery]:
    return [Delivery(raw, signed(acme, raw)["Stripe-Signature"]) for raw in bodies]


def paid_unheard(acme: Company) -> str:
    """A declined invoice is paid in the provider's dashboard, and no delivery tells of it. Returns its intent."""
    profile = acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    acme.subscribe("a1", "s1")
    acme.settle()
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    acme.pay_behind_our_back(profile)
    (intent,) = {each.intent_ref for each in acme.witness.intents()}
    return intent


def end_pauses(acme: Company) -> None:
    """Two hours of wall time go by for what was put back."""
    later = """
        UPDATE billing.provider_event
        SET lease_until = lease_until - interval '2 hours', updated_at = updated_at - interval '2 hours',
            next_try_at = next_try_at - interval '2 hours'
        WHERE status = 'received' AND lease_until IS NOT NULL"""
    with acme.parts.begin() as session:
        session.execute(text(later))
