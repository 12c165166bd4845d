"""What tests of refunds share: an invoice that is paid, what the provider has and was sent, the next question."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from uuid import uuid4

from sqlalchemy import text

from billing.flows.receiving import Delivery, receive_all
from billing.models import Invoice
from billing.providers.port import RefundFacts
from tests.flows.company import START, Company


def paid_invoice(acme: Company, method: str = "pm_card_visa") -> Invoice:
    """1190 = 1000 and 19 %, paid by card."""
    acme.customer("a1", method=method)
    acme.subscribe("a1", "s1")
    acme.settle()
    (invoice,) = acme.invoices()
    assert invoice.status == "paid"
    return invoice


def at_provider(acme: Company) -> list[RefundFacts]:
    """Every refund that the provider has, of all charges."""
    provider = acme.parts.provider(acme.account_id)
    return [each for charge in acme.witness.charges() for each in provider.list_refunds(charge_ref=charge.charge_ref)]


def sent(acme: Company) -> list[tuple[str | None, str]]:
    """Key and outcome of each sending."""
    return [
        (each.key, each.outcome)
        for each in acme.witness.requests()
        if each.path == "/v1/refunds" and each.method == "POST"
    ]


def hasten(acme: Company) -> None:
    """The next question is due now, whoever held the refund is gone."""
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.refund SET next_check_at = now(), lease_until = NULL"))


def ask_again(acme: Company) -> None:
    """Ask now, and settle what comes of it."""
    hasten(acme)
    acme.settle()


def books(acme: Company) -> tuple[int, int]:
    """Refunds in flight, and what the provider holds for us."""
    return acme.account("refunds_in_flight"), acme.account("provider_clearing")


def tell(acme: Company, type_: str, object_ref: str) -> None:
    """An event of the provider's about an object arrives."""
    subject = {"id": object_ref, "object": type_.partition(".")[0]}
    told = {
        "id": f"evt_{uuid4().hex}",
        "object": "event",
        "type": type_,
        "livemode": False,
        "data": {"object": subject},
    }
    raw, stamp = json.dumps({**told, "created": int(START.timestamp())}).encode(), int(time.time())
    secret = acme.parts.settings.webhook_secrets("default")[0]
    digest = hmac.new(secret.encode(), b"%d.%b" % (stamp, raw), hashlib.sha256).hexdigest()
    delivery = Delivery(raw, f"t={stamp},v1={digest}")
    assert receive_all(acme.parts, provider="stripe", code="default", deliveries=[delivery]) == [True]
