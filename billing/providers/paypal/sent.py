"""Everything that PayPal may ever be told: each operation, each parameter path, and the shape of its values.

As `stripe/sent.py`: what is not on this list is a breach. No shape has room for a name, an e-mail or an address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from billing.providers.stripe.sent import breaches
from billing.providers.stripe.witness import WitnessedRequest

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ID = r"[A-Za-z0-9_-]{1,64}"
_MONEY = {"currency_code": r"[A-Z]{3}", "value": r"[0-9]{1,10}(\.[0-9]{1,3})?"}
_INSTANT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
_PLACE = r"[A-Za-z0-9=_-]{1,200}"
_OUR_PAGE = r"https?://[A-Za-z0-9.:-]{1,200}/pay-return"
"""One address for everybody: no link of a customer's, which would open their page."""
_SET_UP = re.compile(r"/v1/notifications/webhooks(/|$)")
_UNIT = "purchase_units.0"
_SOURCE = "payment_source.paypal"


def _amount(at: str) -> dict[str, str]:
    return {f"{at}.{name}": shape for name, shape in _MONEY.items()}


ALLOWED: dict[str, dict[str, str]] = {
    "GET /v1/identity/oauth2/userinfo": {"schema": r"paypalv1\.1"},
    "POST /v3/vault/setup-tokens": {
        "customer.merchant_customer_id": _UUID,
        f"{_SOURCE}.usage_type": "MERCHANT",
        f"{_SOURCE}.customer_type": "CONSUMER",
        f"{_SOURCE}.permit_multiple_payment_tokens": "true",
        f"{_SOURCE}.experience_context.shipping_preference": "NO_SHIPPING",
        f"{_SOURCE}.experience_context.return_url": _OUR_PAGE,
        f"{_SOURCE}.experience_context.cancel_url": _OUR_PAGE,
    },
    f"GET /v3/vault/setup-tokens/{_ID}": {},
    "POST /v3/vault/payment-tokens": {
        "payment_source.token.id": _ID,
        "payment_source.token.type": "BILLING_AGREEMENT|SETUP_TOKEN",
        "customer.merchant_customer_id": _UUID,
    },
    f"GET /v3/vault/payment-tokens/{_ID}": {},
    f"DELETE /v3/vault/payment-tokens/{_ID}": {},
    "POST /v2/checkout/orders": {
        "intent": "CAPTURE",
        f"{_UNIT}.custom_id": rf"{_UUID}\.({_UUID})?",
        f"{_UNIT}.invoice_id": rf"{_UUID}(\.[1-9][0-9]{{0,2}})?",
        **_amount(f"{_UNIT}.amount"),
        f"{_SOURCE}.vault_id": _ID,
        f"{_SOURCE}.stored_credential.payment_initiator": "MERCHANT|CUSTOMER",
        f"{_SOURCE}.stored_credential.usage": "SUBSEQUENT",
        f"{_SOURCE}.stored_credential.usage_pattern": "RECURRING_POSTPAID|IMMEDIATE",
    },
    f"GET /v2/checkout/orders/{_ID}": {},
    f"GET /v2/payments/captures/{_ID}": {},
    f"POST /v2/payments/captures/{_ID}/refund": {**_amount("amount"), "custom_id": _UUID},
    f"GET /v2/payments/refunds/{_ID}": {},
    "GET /v1/reporting/transactions": {
        "start_date": _INSTANT,
        "end_date": _INSTANT,
        "fields": "transaction_info",
        "balance_affecting_records_only": "N",
        "page_size": r"[0-9]{1,3}",
        "page": r"[0-9]{1,4}",
    },
    "GET /v1/customer/disputes": {"start_time": _INSTANT, "page_size": r"[0-9]{1,3}", "next_page_token": _PLACE},
    f"GET /v1/customer/disputes/{_ID}": {},
    "GET /v1/notifications/webhooks-events": {
        "start_time": _INSTANT,
        "end_time": _INSTANT,
        "page_size": r"[0-9]{1,3}",
        "move_to": "next",
        "index_time": _INSTANT,
        "index_id": _PLACE,
    },
}
"""Operation (method and path, a regular expression) → parameter path → shape of its value (a regular expression)."""


def told(witnessed: Iterable[WitnessedRequest]) -> Iterator[str]:
    """The breaches among what the stand-in saw, each with its operation. What a person sets up there is not ours."""
    for each in witnessed:
        if not _SET_UP.match(each.path):
            found = breaches(method=each.method, path=each.path, params=each.params, key=each.key, allowed=ALLOWED)
            if "?" in each.path:
                # Parameters have their place; what is behind an address beside them was put there for no good.
                found.append("query")
            for what in found:
                yield f"{each.method} {each.path}: {what}"
