"""The customer's part, played through the sandbox's door: authentication (3-D Secure) done, or failed."""

from __future__ import annotations

from billing.sandbox.stripe import confirming, events, payment_methods, settling, setup_intents
from billing.sandbox.stripe.errors import ApiError, refused
from billing.sandbox.stripe.finding import the
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.tx import Stored
from billing.sandbox.stripe.values import Json


def authenticate_payment(call: Call, id: str, *, succeeded: bool) -> Json:
    """The customer authenticates a payment, or fails to; the charge follows."""
    intent = the(call, "payment_intent", id)
    if intent.body["status"] != "requires_action":
        raise refused("Only a payment that requires action can be authenticated.")
    method = the(call, "payment_method", intent.body["payment_method"])
    if not succeeded:
        return _fail(call, intent, method)
    why = payment_methods.card_of(method).decline
    if why is None:
        settling.take(call, intent, method)
        return intent.body
    try:
        confirming.decline(call, intent, method, why)
    except ApiError:
        return intent.body


def _fail(call: Call, intent: Stored, method: Stored) -> Json:
    """The bank was never asked for money, so there is no charge: only the intent tells of it, and its event."""
    intent.body.update(status="requires_payment_method", payment_method=None, next_action=None)
    intent.body["last_payment_error"] = {
        "type": "invalid_request_error",
        "code": "payment_intent_authentication_failure",
        "message": "The customer did not authenticate this payment.",
        "payment_method": method.body,
    }
    intent.hidden["declined"] = True
    call.tx.save(intent)
    events.happen(call, "payment_intent.payment_failed", intent.body)
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
