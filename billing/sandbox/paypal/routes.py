"""Every path of the API that the stand-in serves."""

from __future__ import annotations

from billing.sandbox.paypal import captures, disputes, events, orders, reporting, tokens
from billing.sandbox.paypal.gate import Route
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.values import Json


def _who(call: Call) -> Json:
    return {
        "user_id": f"https://www.paypal.com/webapps/auth/identity/user/{call.account}",
        "payer_id": call.account,
        "name": "Sandbox Business",
        "email": "business@example.com",
    }


ROUTES: tuple[Route, ...] = (
    Route("GET", "/v1/identity/oauth2/userinfo", _who),
    Route("POST", "/v3/vault/setup-tokens", tokens.begin, tokens.latest_setup, 201),
    Route("GET", "/v3/vault/setup-tokens/<id>", tokens.retrieve_setup),
    Route("POST", "/v3/vault/payment-tokens", tokens.create, tokens.latest, 201),
    Route("GET", "/v3/vault/payment-tokens/<id>", tokens.retrieve),
    Route("DELETE", "/v3/vault/payment-tokens/<id>", tokens.delete, status=204),
    Route("POST", "/v2/checkout/orders", orders.create, orders.latest, 201, needs_key=True),
    Route("GET", "/v2/checkout/orders/<id>", orders.retrieve),
    Route("POST", "/v2/checkout/orders/<id>/capture", orders.capture, orders.latest, 201, needs_key=True),
    Route("GET", "/v2/payments/captures/<id>", captures.retrieve),
    Route("POST", "/v2/payments/captures/<id>/refund", captures.refund, captures.latest_refund, 201),
    Route("GET", "/v2/payments/refunds/<id>", captures.retrieve_refund),
    Route("GET", "/v1/reporting/transactions", reporting.list_),
    Route("GET", "/v1/customer/disputes", disputes.list_),
    Route("GET", "/v1/customer/disputes/<id>", disputes.retrieve),
    Route("POST", "/v1/notifications/webhooks", events.create_webhook, status=201),
    Route("DELETE", "/v1/notifications/webhooks/<id>", events.remove_webhook, status=204),
    Route("GET", "/v1/notifications/webhooks-events", events.list_),
)
