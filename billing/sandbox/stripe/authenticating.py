"""The customer's part, played through the sandbox's door: authentication (3-D Secure) done, or failed."""

from __future__ import annotations

from billing.sandbox.stripe import confirming, payment_methods, settling, setup_intents
from billing.sandbox.stripe.cards import Decline
from billing.sandbox.stripe.errors import ApiError, refused
from billing.sandbox.stripe.finding import the
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.values import Json

_FAILED = Decline(
    "payment_intent_authentication_failure", None, None, "The customer did not authenticate this payment."
)


def authenticate_payment(call: Call, id: str, *, succeeded: bool) -> Json:
    """The customer authenticates a payment, or fails to; the charge follows."""
    intent = the(call, "payment_intent", id)
    if intent.body["status"] != "requires_action":
        raise refused("Only a payment that requires action can be authenticated.")
    method = the(call, "payment_method", intent.body["payment_method"])
    why = payment_methods.card_of(method).decline if succeeded else _FAILED
    if why is None:
        settling.take(call, intent, method)
        return intent.body
    try:
        confirming.decline(call, intent, method, why)
    except ApiError:
        return intent.body


def authenticate_setup(call: Call, id: str, *, succeeded: bool) -> Json:
    """The customer authenticates a set-up, or fails to."""
    setup = the(call, "setup_intent", id)
    if setup.body["status"] != "requires_action":
        raise refused("Only a set-up that requires action can be authenticated.")
    if succeeded:
        setup_intents.succeed(call, setup)
    else:
        setup_intents.fail(call, setup)
    return setup.body
