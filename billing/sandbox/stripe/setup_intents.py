"""SetupIntents: a method made ready to be charged when the customer is away."""

from __future__ import annotations

from billing.sandbox.stripe import events, mandates, objects, payment_methods
from billing.sandbox.stripe.cards import AUTHENTICATION, Decline
from billing.sandbox.stripe.errors import ApiError, invalid, refused
from billing.sandbox.stripe.finding import living_customer, the
from billing.sandbox.stripe.inner import SET_UP_OPTIONS
from billing.sandbox.stripe.intent_state import check_types
from billing.sandbox.stripe.lists import page
from billing.sandbox.stripe.params import (
    BOOL,
    CREATED,
    GONE,
    LIST,
    METADATA,
    PAGE,
    TEXT,
    Spec,
    choice,
    hash_of,
    merged,
    required,
)
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.tx import Stored
from billing.sandbox.stripe.values import Json

CREATE_SPEC: Spec = {
    "allowed_payment_method_types": LIST,
    "automatic_payment_methods": hash_of(enabled=required("bool"), allow_redirects=choice("always", "never")),
    "confirm": BOOL,
    "customer": TEXT,
    "description": TEXT,
    "expand": LIST,
    "metadata": METADATA,
    "payment_method": TEXT,
    "payment_method_options": SET_UP_OPTIONS,
    "payment_method_types": GONE,
    "return_url": TEXT,
    "usage": choice("off_session", "on_session"),
}
UPDATE_SPEC: Spec = {"description": TEXT, "expand": LIST, "metadata": METADATA, "payment_method": TEXT}
CONFIRM_SPEC: Spec = {
    "expand": LIST,
    "payment_method": TEXT,
    "payment_method_options": SET_UP_OPTIONS,
    "return_url": TEXT,
}
CANCEL_SPEC: Spec = {
    "cancellation_reason": choice("abandoned", "duplicate", "requested_by_customer"),
    "expand": LIST,
}
LIST_SPEC: Spec = {**PAGE, "created": CREATED, "customer": TEXT, "payment_method": TEXT}

_OPEN = frozenset(("requires_payment_method", "requires_confirmation", "requires_action"))


def create(call: Call) -> Json:
    """A new set-up, confirmed in the same request if so asked."""
    if "customer" in call.params:
        living_customer(call, call.params["customer"], param="customer")
    check_types(call.params)
    if not call.config.paypal and "paypal" in call.given("allowed_payment_method_types", []):
        raise invalid("PayPal is not activated for this account.", param="allowed_payment_method_types")
    setup = call.tx.add(call.account, objects.setup_intent(call.now, call.params))
    _choose(call, setup)
    events.happen(call, "setup_intent.created", setup.body)
    if call.given("confirm"):
        _attempt(call, setup)
    call.tx.save(setup)
    return setup.body


def update(call: Call) -> Json:
    """Change what is named, while it is open."""
    setup = _open(call, "updated")
    _choose(call, setup)
    if "description" in call.params:
        setup.body["description"] = call.params["description"] or None
    setup.body["metadata"] = merged(setup.body["metadata"], call.given("metadata", {}))
    call.tx.save(setup)
    return setup.body


def confirm(call: Call) -> Json:
    """POST setup_intents/<id>/confirm."""
    setup = _open(call, "confirmed")
    _choose(call, setup)
    _attempt(call, setup)
    return setup.body


def cancel(call: Call) -> Json:
    """POST setup_intents/<id>/cancel."""
    setup = _open(call, "canceled")
    setup.body.update(status="canceled", cancellation_reason=call.given("cancellation_reason"), next_action=None)
    call.tx.save(setup)
    events.happen(call, "setup_intent.canceled", setup.body)
    return setup.body


def list_(call: Call) -> Json:
    """SetupIntents, newest first."""
    method = call.given("payment_method")
    also = None if method is None else ("json_extract(body, '$.payment_method') = ?", [method])
    return page(call, "setup_intent", filters=("customer",), also=also)


def _open(call: Call, done: str) -> Stored:
    setup = the(call, "setup_intent", call.args["id"])
    if setup.body["status"] not in _OPEN:
        raise refused(
            f"This SetupIntent's status is {setup.body['status']}, so it can't be {done}.",
            code="setup_intent_unexpected_state",
            setup_intent=setup.body,
        )
    return setup


def choose(call: Call, id: str, name: str) -> Stored:
    """The open set-up, with the method of that name. Raises where its type is not allowed."""
    call.args, call.params = {"id": id}, {"payment_method": name}
    setup = _open(call, "confirmed")
    _choose(call, setup)
    _allowed(call, setup)
    return setup


def _choose(call: Call, setup: Stored) -> None:
    if "payment_method" not in call.params:
        return
    method = payment_methods.resolve(call, call.params["payment_method"])
    if method.body["customer"] is not None and method.body["customer"] != setup.body["customer"]:
        raise refused("This payment method belongs to another customer.", param="payment_method")
    setup.body.update(payment_method=method.id, status="requires_confirmation")


def _attempt(call: Call, setup: Stored) -> None:
    automatic = setup.body["automatic_payment_methods"]
    if (
        automatic
        and automatic["enabled"]
        and automatic["allow_redirects"] == "always"
        and "return_url" not in call.params
    ):
        raise invalid(
            "This SetupIntent may redirect: give a `return_url`, or name its method types.", param="return_url"
        )
    if setup.body["payment_method"] is None:
        raise refused("This SetupIntent has no payment method.", code="setup_intent_unexpected_state")
    method = _allowed(call, setup)
    card = payment_methods.card_of(method)
    if card.behaviour == "decline" and card.decline and not card.saves and not call.config.save_declining_cards:
        fail(call, setup, card.decline)
        raise ApiError(402, card.decline.message, effects=True, **_error(method, card.decline), setup_intent=setup.body)
    if card.behaviour.startswith("authenticate_"):
        setup.body.update(status="requires_action", next_action={"type": "use_stripe_sdk", "use_stripe_sdk": {}})
        call.tx.save(setup)
        events.happen(call, "setup_intent.requires_action", setup.body)
        return
    succeed(call, setup)


def _allowed(call: Call, setup: Stored) -> Stored:
    method = the(call, "payment_method", setup.body["payment_method"])
    allowed = setup.body["allowed_payment_method_types"]
    if allowed is not None and method.body["type"] not in allowed:
        raise refused("A payment method of this type is not allowed for this SetupIntent.", param="payment_method")
    return method


def redirect(call: Call, setup: Stored, *, to: str, back: str) -> None:
    """The customer goes to PayPal, agrees there or not, and comes back."""
    there = {"type": "redirect_to_url", "redirect_to_url": {"return_url": back, "url": to}}
    setup.body.update(status="requires_action", next_action=there)
    call.tx.save(setup)
    events.happen(call, "setup_intent.requires_action", setup.body)


def succeed(call: Call, setup: Stored) -> None:
    """The method is set up, and attached to the customer where there is one."""
    method = the(call, "payment_method", setup.body["payment_method"])
    if setup.body["customer"] is not None:
        payment_methods.bind(call, method, setup.body["customer"])
    method.hidden["set_up"] = True
    if method.body["type"] in mandates.TYPES:
        setup.body["mandate"] = mandates.give(call, method, online=True)
    call.tx.save(method)
    setup.body.update(status="succeeded", next_action=None, last_setup_error=None)
    call.tx.save(setup)
    events.happen(call, "setup_intent.succeeded", setup.body)


def fail(call: Call, setup: Stored, why: Decline = AUTHENTICATION) -> None:
    """The set-up failed; another method may be tried."""
    method = the(call, "payment_method", setup.body["payment_method"])
    setup.body.update(status="requires_payment_method", payment_method=None, next_action=None)
    setup.body["last_setup_error"] = {**_error(method, why), "message": why.message}
    call.tx.save(setup)
    events.happen(call, "setup_intent.setup_failed", setup.body)


def _error(method: Stored, why: Decline) -> Json:
    error: Json = {"type": "card_error", "code": why.code, "decline_code": why.decline_code or why.code}
    if why.advice_code:
        error["advice_code"] = why.advice_code
    return {**error, "payment_method": method.body}
