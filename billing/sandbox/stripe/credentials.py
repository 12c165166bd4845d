"""Who asks: the account behind a test key. A live key is never accepted, and no key is ever stored."""

from __future__ import annotations

import base64

from billing.sandbox.stripe.errors import unauthorized
from billing.sandbox.stripe.values import digest

_TEST = "sk_test_"


def account_of(authorization: str) -> tuple[str, str]:
    """The account of an `Authorization` header, and the key's hash. Every test key has an account of its own.

    Takes `Bearer`, and `Basic` with the key as the user, as Stripe does. Raises a 401 for anything else.
    """
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() == "basic":
        secret = _user(secret)
    if not secret:
        raise unauthorized("No API key was given: send it as `Authorization: Bearer sk_test_...`.")
    if not secret.startswith(_TEST) or secret == _TEST:
        raise unauthorized("This is a sandbox: it takes keys that begin with sk_test_, and never a live key.")
    return "acct_sandbox" + digest(secret, length=12), digest("key " + secret)


def _user(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[0]
    except ValueError:
        return ""
