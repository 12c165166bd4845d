"""Confirming a PaymentIntent: the one place where money moves, or does not."""

from __future__ import annotations

from typing import NoReturn

from billing.sandbox.stripe import charges, events, idempotency, mandates, payment_methods, settling
from billing.sandbox.stripe.cards import AUTHENTICATION, Decline
from billing.sandbox.stripe.errors import ApiError, Interrupted, invalid, refused
from billing.sandbox.stripe.finding import the
from billing.sandbox.stripe.inner import CHARGE_OPTIONS
from billing.sandbox.stripe.intent_state import (
    CHANGEABLE,
    choose_method,
    close,
    limit_types,
    require_type,
    unexpected_state,
)
from billing.sandbox.stripe.params import BOOL, GONE, INT, LIST, TEXT, Spec, choice
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.tx import Stored
from billing.sandbox.stripe.values import Json

CONFIRM_SPEC: Spec = {
    "allowed_payment_method_types": LIST,
    "capture_method": choice("automatic", "automatic_async", "manual"),
    "error_on_requires_action": BOOL,
    "expand": LIST,
    "off_session": TEXT,
    "payment_method": TEXT,
    "payment_method_options": CHARGE_OPTIONS,
    "payment_method_types": GONE,
    "receipt_email": TEXT,
    "return_url": TEXT,
    "setup_future_usage": choice("off_session", "on_session", ""),
    "use_stripe_sdk": BOOL,
}
CAPTURE_SPEC: Spec = {"amount_to_capture": INT, "expand": LIST}


def confirm(call: Call) -> Json:
    """POST payment_intents/<id>/confirm."""
    intent = the(call, "payment_intent", call.args["id"])
    _check_state(call, intent)
    if "payment_method" in call.params:
        choose_method(call, intent, call.params["payment_method"])
    attempt(call, intent)
    return intent.body


def attempt(call: Call, intent: Stored) -> None:
    """One confirm. Returns with the intent settled, processing or waiting; raises a card error where it is declined.

    The intent, which may be a new one, is saved in each of these.
    """
    for name in ("capture_method", "receipt_email", "setup_future_usage"):
        if call.given(name):
            intent.body[name] = call.params[name]
    limit_types(call.params, intent)
    _check_return_url(call, intent.body)
    if intent.body["payment_method"] is None:
        raise refused(
            "This PaymentIntent has no payment method to confirm with.", code="payment_intent_unexpected_state"
        )
    method = the(call, "payment_method", intent.body["payment_method"])
    if intent.body["customer"] and method.body["customer"] is None and intent.body["setup_future_usage"]:
        payment_methods.bind(call, method, intent.body["customer"])
    require_type(intent, method)
    mandates.require_active(call, method)
    intent.hidden["confirms"] += 1
    _play(call, intent, method)


def _check_state(call: Call, intent: Stored) -> None:
    if intent.body["status"] not in CHANGEABLE:
        raise unexpected_state(intent, "confirmed")
    if intent.hidden["confirms"] >= call.config.max_confirms:
        close(call, intent, reason="automatic")
        error = unexpected_state(intent, "confirmed: it was confirmed too often")
        error.effects = True
        raise error


def _check_return_url(call: Call, intent: Json) -> None:
    """Automatic methods may redirect, so Stripe wants to know where the customer comes back to, whatever the method.

    Not off session, where nobody is there to be redirected (docs.stripe.com, changelog of 2023-08-16).
    """
    automatic = intent["automatic_payment_methods"]
    redirects = automatic and automatic["enabled"] and automatic["allow_redirects"] == "always"
    if redirects and not _off_session(call) and "return_url" not in call.params:
        raise invalid(
            "This PaymentIntent accepts automatic payment methods, which may redirect: give a `return_url`, set"
            " `automatic_payment_methods[allow_redirects]` to `never`, or name `allowed_payment_method_types`.",
            param="return_url",
        )


def _off_session(call: Call) -> bool:
    return call.given("off_session") not in (None, "", "false")


def _play(call: Call, intent: Stored, method: Stored) -> None:
    card = payment_methods.card_of(method)
    match card.behaviour:
        case "fault_503" | "timeout_before" if idempotency.first_time(call):
            raise Interrupted(503 if card.behaviour == "fault_503" else None)
        case "timeout_after":
            call.unanswered = idempotency.first_time(call)
        case "decline" if card.decline is not None:
            decline(call, intent, method, card.decline)
        case "decline_once" if card.decline is not None and not intent.hidden.get("declined"):
            decline(call, intent, method, card.decline)
        case "processing" | "processing_fails" | "processing_fails_once":
            spent = card.behaviour == "processing_fails_once" and bool(intent.hidden.get("declined"))
            settling.begin(call, intent, method, fails=card.behaviour != "processing" and not spent)
            return
        case "authenticate_always" | "authenticate_unless_setup" if not _authenticated(card.behaviour, method):
            _require_authentication(call, intent, method)
            return
        case "authenticate_on_session" if not _off_session(call):
            _require_authentication(call, intent, method)
            return
    settling.take(call, intent, method)


def _authenticated(behaviour: str, method: Stored) -> bool:
    return behaviour == "authenticate_unless_setup" and bool(method.hidden.get("set_up"))


def _require_authentication(call: Call, intent: Stored, method: Stored) -> None:
    if _off_session(call) or call.given("error_on_requires_action"):
        decline(call, intent, method, AUTHENTICATION)
    intent.body.update(status="requires_action", next_action={"type": "use_stripe_sdk", "use_stripe_sdk": {}})
    call.tx.save(intent)
    events.happen(call, "payment_intent.requires_action", intent.body)


def decline(call: Call, intent: Stored, method: Stored, why: Decline) -> NoReturn:
    """A failed charge, and the card error that says so. Both stay written."""
    charge = charges.begin(call, intent.body, method)
    charges.decline(charge, why)
    call.tx.save(charge)
    error = settling.declined(intent, charge, method, why)
    call.tx.save(intent)
    events.happen(call, "charge.failed", charge.body)
    events.happen(call, "payment_intent.payment_failed", intent.body)
    raise ApiError(402, why.message, effects=True, **{**error, "payment_intent": intent.body})


def capture(call: Call) -> Json:
    """POST payment_intents/<id>/capture, for an intent that is captured by hand."""
    intent = the(call, "payment_intent", call.args["id"])
    if intent.body["status"] != "requires_capture":
        raise unexpected_state(intent, "captured")
    amount = call.given("amount_to_capture", intent.body["amount_capturable"])
    if not 0 < amount <= intent.body["amount_capturable"]:
        raise refused("More than what is capturable.", code="amount_too_large", param="amount_to_capture")
    settling.capture(call, intent, amount)
    return intent.body
