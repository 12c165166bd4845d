"""What the adapter's tests share: a provider at an address, a request, and Stripe's objects as plain data."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from billing.providers.port import ChargeRequest
from billing.providers.stripe.adapter import StripeProvider
from billing.providers.stripe.client import build_client

INVOICE = UUID("01890000-0000-7000-8000-000000000001")
PAYMENT = UUID("01890000-0000-7000-8000-000000000002")
KEY = str(PAYMENT)


def provider_at(address: str, *, connect_s: float = 1, read_s: float = 1) -> StripeProvider:
    client = build_client(api_key="key_for_tests", connect_s=connect_s, read_s=read_s, base_address=address)
    return StripeProvider(client=client, livemode=False)


def request(
    *, intent_ref: str | None = None, amount_minor: int = 1500, currency: str = "eur", kind: str | None = None
) -> ChargeRequest:
    return ChargeRequest(
        payment_id=PAYMENT,
        invoice_id=INVOICE,
        customer_ref="cus_1",
        method_ref="pm_1",
        amount_minor=amount_minor,
        currency=currency,
        intent_ref=intent_ref,
        kind=kind,
    )


def charge(**changes: Any) -> dict[str, Any]:
    return {
        "id": "ch_1",
        "object": "charge",
        "status": "succeeded",
        "amount": 1500,
        "amount_refunded": 0,
        "currency": "eur",
        "created": 1_700_000_000,
        "failure_code": None,
        "outcome": {"type": "authorized", "reason": None, "advice_code": None},
        "billing_details": {"name": "Someone Real", "email": "someone@example.org"},
        **changes,
    }


def intent(**changes: Any) -> dict[str, Any]:
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "status": "succeeded",
        "amount": 1500,
        "currency": "eur",
        "customer": "cus_1",
        "created": 1_700_000_000,
        "metadata": {"invoice_id": str(INVOICE), "payment_id": str(PAYMENT)},
        "latest_charge": "ch_1",
        "last_payment_error": None,
        **changes,
    }


def method(**changes: Any) -> dict[str, Any]:
    return {
        "id": "pm_1",
        "object": "payment_method",
        "type": "card",
        "customer": "cus_1",
        "billing_details": {"name": "Someone Real", "phone": "+49 30 000", "address": {"city": "Berlin"}},
        "card": {
            "brand": "visa",
            "last4": "4242",
            "exp_month": 12,
            "exp_year": 2031,
            "funding": "credit",
            "country": "DE",
            "fingerprint": "Fp1",
            "wallet": {"type": "apple_pay"},
        },
        **changes,
    }
