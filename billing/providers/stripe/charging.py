"""The two requests that charge, by the SDK's raw requests.

Its typed ones turn every object of an answer into one of its own, which costs as much again as the call; what is read
of an answer is in `outcomes` alone.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

import stripe
from stripe.params import PaymentIntentConfirmParams, PaymentIntentCreateParams

from billing.kernel.kinds import MethodKind
from billing.providers.port import ChargeRequest
from billing.providers.stripe.kinds import type_of

# The type of the method is named with every charge, so that a switch in Stripe's dashboard can't change what an intent
# accepts. The parameter is `allowed_payment_method_types`: since 2026-09-30.endive Stripe refuses
# `payment_method_types`. A confirm takes it as well, so an intent can be confirmed with a method of another type than
# the one that it was made with, without an update before (docs/decisions/0018).


def create(client: stripe.StripeClient, request: ChargeRequest, amount: int, key: str) -> stripe.StripeResponse:
    """Create the invoice's intent and confirm it in one."""
    params: PaymentIntentCreateParams = {
        "amount": amount,
        "currency": request.currency,
        "customer": request.customer_ref,
        "payment_method": request.method_ref,
        "allowed_payment_method_types": [type_of(request.kind)],
        "confirm": True,
        "metadata": {"invoice_id": str(request.invoice_id), "payment_id": str(request.payment_id)},
    }
    if _is_at_hand(request):
        params["use_stripe_sdk"] = True
    else:
        params["off_session"] = True
    return _raw(client, "/v1/payment_intents", {**params}, key)


def confirm(client: stripe.StripeClient, request: ChargeRequest, intent_ref: str, key: str) -> stripe.StripeResponse:
    """Confirm the intent that is there."""
    params: PaymentIntentConfirmParams = {"payment_method": request.method_ref}
    if request.kind is not None:
        params["allowed_payment_method_types"] = [type_of(request.kind)]
    if _is_at_hand(request):
        params["use_stripe_sdk"] = True
    else:
        params["off_session"] = True
    return _raw(client, f"/v1/payment_intents/{quote_plus(intent_ref)}/confirm", {**params}, key)


def _is_at_hand(request: ChargeRequest) -> bool:
    """Whether the customer can be asked: Stripe's own script then takes the next step, on our page.

    PayPal's next step would be its own pages, once more; the payer has agreed there to be charged without them.
    """
    return request.on_session and request.kind != MethodKind.STRIPE_PAYPAL


def _raw(client: stripe.StripeClient, path: str, params: dict[str, Any], key: str) -> stripe.StripeResponse:
    answer: stripe.StripeResponse = client.raw_request("post", path, **params, idempotency_key=key)
    return answer
