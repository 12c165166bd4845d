"""Everything that Stripe may ever be told: each operation, each parameter path, and the shape of its values.

The proof of privacy is this list and the stand-in's log of requests: a path that isn't here, or a value of another
shape, is a breach, whatever it says. No shape has room for a name, an e-mail or an address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from billing.providers.stripe.kinds import TYPES
from billing.providers.stripe.witness import WitnessedRequest

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_CUSTOMER = r"cus_[A-Za-z0-9]{1,60}"
_METHOD = r"(pm|card|src)_[A-Za-z0-9_]{1,60}"
_INTENT = r"pi_[A-Za-z0-9]{1,60}"
_CHARGE = r"(ch|py)_[A-Za-z0-9]{1,60}"
_SETUP = r"seti_[A-Za-z0-9]{1,60}"
_AMOUNT = r"[1-9][0-9]{0,11}"
_SECOND = r"[0-9]{1,12}"
_REFUND = r"(re|pyr)_[A-Za-z0-9]{1,60}"
_DISPUTE = r"(dp|du|pdp)_[A-Za-z0-9]{1,60}"
_WARNING = r"issfr_[A-Za-z0-9]{1,60}"
_PAYOUT = r"po_[A-Za-z0-9]{1,60}"
_MOVEMENT = r"txn_[A-Za-z0-9]{1,60}"
_EVENT = r"evt_[A-Za-z0-9]{1,60}"
_MANDATE = r"mandate_[A-Za-z0-9]{1,60}"
_TYPE = "|".join(TYPES.values())
_DOMAIN = r"([a-z0-9-]{1,63}\.){1,8}[a-z]{2,63}"
_PAGE = {"limit": r"[0-9]{1,3}"}
_WINDOW = {**_PAGE, "created.gte": _SECOND, "created.lt": _SECOND}

KEY_SHAPE = re.compile(r"[A-Za-z0-9:_-]{1,255}")
"""Idempotency keys are our ids, with a step after a colon."""

ALLOWED: dict[str, dict[str, str]] = {
    "GET /v1/account": {},
    "POST /v1/customers": {"metadata.anonymous_id": _UUID},
    "GET /v1/payment_method_domains": {"domain_name": _DOMAIN},
    "POST /v1/payment_method_domains": {"domain_name": _DOMAIN},
    "POST /v1/setup_intents": {
        "customer": _CUSTOMER,
        "usage": "off_session",
        "allowed_payment_method_types.0": _TYPE,
    },
    f"GET /v1/setup_intents/{_SETUP}": {},
    f"POST /v1/payment_methods/{_METHOD}/attach": {"customer": _CUSTOMER},
    f"GET /v1/payment_methods/{_METHOD}": {},
    f"POST /v1/payment_methods/{_METHOD}/detach": {},
    "POST /v1/payment_intents": {
        "amount": _AMOUNT,
        "currency": r"[a-z]{3}",
        "customer": _CUSTOMER,
        "payment_method": _METHOD,
        "allowed_payment_method_types.0": _TYPE,
        "confirm": "true",
        "off_session": "true",
        "use_stripe_sdk": "true",
        "metadata.invoice_id": _UUID,
        "metadata.payment_id": _UUID,
    },
    f"POST /v1/payment_intents/{_INTENT}/confirm": {
        "payment_method": _METHOD,
        "allowed_payment_method_types.0": _TYPE,
        "off_session": "true",
        "use_stripe_sdk": "true",
    },
    f"POST /v1/payment_intents/{_INTENT}/cancel": {"expand.0": "latest_charge"},
    f"GET /v1/payment_intents/{_INTENT}": {"expand.0": "latest_charge"},
    "GET /v1/payment_intents": {
        **_PAGE,
        "customer": _CUSTOMER,
        "created.gte": _SECOND,
        "expand.0": r"data\.latest_charge",
        "starting_after": _INTENT,
    },
    "GET /v1/charges": {**_WINDOW, "payment_intent": _INTENT, "starting_after": _CHARGE},
    f"GET /v1/charges/{_CHARGE}": {},
    "POST /v1/refunds": {"charge": _CHARGE, "amount": _AMOUNT, "metadata.refund_id": _UUID},
    f"GET /v1/refunds/{_REFUND}": {},
    "GET /v1/refunds": {**_WINDOW, "charge": _CHARGE, "starting_after": _REFUND},
    "GET /v1/events": {**_WINDOW, "starting_after": _EVENT},
    f"GET /v1/customers/{_CUSTOMER}": {},
    f"GET /v1/mandates/{_MANDATE}": {},
    f"GET /v1/disputes/{_DISPUTE}": {},
    "GET /v1/disputes": {**_WINDOW, "starting_after": _DISPUTE},
    f"GET /v1/radar/early_fraud_warnings/{_WARNING}": {},
    f"GET /v1/payouts/{_PAYOUT}": {},
    "GET /v1/balance_transactions": {**_WINDOW, "payout": _PAYOUT, "starting_after": _MOVEMENT},
}
"""Operation (method and path, a regular expression) → parameter path → shape of its value (a regular expression)."""


def breaches(
    *,
    method: str,
    path: str,
    params: Mapping[str, Any],
    key: str | None = None,
    allowed: Mapping[str, Mapping[str, str]] = ALLOWED,
) -> list[str]:
    """What in this request is not on the list: the operation, or parameter paths. Values are never repeated here."""
    operation = f"{method.upper()} {path.partition('?')[0]}"
    shapes = next((shapes for shape, shapes in allowed.items() if re.fullmatch(shape, operation)), None)
    if shapes is None:
        return ["operation"]
    found = [name for name, value in _leaves(params) if not re.fullmatch(shapes.get(name, r"(?!)"), value)]
    if key is not None and not KEY_SHAPE.fullmatch(key):
        found.append("idempotency_key")
    return found


def told(witnessed: Iterable[WitnessedRequest]) -> Iterator[str]:
    """The breaches among what the stand-in saw, each with its operation. What a person sets up there is not ours."""
    for each in witnessed:
        if each.path.startswith("/v1/") and each.path != "/v1/webhook_endpoints":
            for what in breaches(method=each.method, path=each.path, params=each.params, key=each.key):
                yield f"{each.method} {each.path}: {what}"


def _leaves(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Each value with its dotted path; `a[b][0]`, nested mappings and lists come out alike."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, _joined(at, str(name)))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _leaves(inner, _joined(at, str(place)))
    else:
        yield at, str(value).lower() if isinstance(value, bool) else str(value)


def _joined(at: str, name: str) -> str:
    plain = name.replace("[]", "[0]").replace("][", ".").replace("[", ".").replace("]", "")
    return f"{at}.{plain}" if at else plain
