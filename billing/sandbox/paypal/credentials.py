"""Who asks: client credentials give a token, a token names its account. No secret is ever stored."""

from __future__ import annotations

import base64

from billing.sandbox.paypal.errors import no_client, no_grant, unauthorized
from billing.sandbox.stripe.values import Json, digest

LIFE_S = 32_400
_DEAD = "revoked"
_TOKEN = "A21-sandbox-"  # noqa: S105 (the beginning of each, and no secret)


def issue(authorization: str, *, grant_type: str) -> Json:
    """A token for `Authorization: Basic`. Every client id has an account of its own, whatever its secret.

    Nothing tells PayPal's live ids from its sandbox's, and so none is refused but those that say they are `revoked`.
    """
    scheme, _, encoded = authorization.partition(" ")
    try:
        client, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        client = secret = ""
    if scheme.lower() != "basic" or not client or not secret or client.startswith(_DEAD):
        raise no_client()
    if grant_type != "client_credentials":
        raise no_grant(grant_type)
    return {
        "scope": "openid https://uri.paypal.com/services/payments/realtimepayment",
        "access_token": _TOKEN + account_ref(client),
        "token_type": "Bearer",
        "app_id": "APP-" + digest(client, length=17).upper(),
        "expires_in": LIFE_S,
    }


def account_of(authorization: str) -> str:
    """The account of a bearer token."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.startswith(_TOKEN):
        raise unauthorized()
    return token.removeprefix(_TOKEN)


def account_ref(client: str) -> str:
    """The business account's payer id."""
    return digest("paypal " + client, length=13).upper()
