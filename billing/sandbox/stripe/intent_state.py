"""What an intent's status allows, and the moves that several operations share."""

from __future__ import annotations

from billing.sandbox.stripe import events, payment_methods
from billing.sandbox.stripe.errors import ApiError, invalid, refused
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.tx import Stored
from billing.sandbox.stripe.values import Json

CHANGEABLE = frozenset(("requires_payment_method", "requires_confirmation", "requires_action"))


TYPES: dict[str, str | None] = {
    "card": None,
    "paypal": "eur gbp usd chf czk dkk nok pln sek aud cad hkd nzd sgd",
    "sepa_debit": "eur",
}
"""What the stand-in's account takes, and in which currencies; None: in all."""


def check_types(given: Json) -> None:
    """Allowed types and automatic ones exclude each other, and at least one must be a type that is known here."""
    allowed = given.get("allowed_payment_method_types")
    if allowed is None:
        return
    if "automatic_payment_methods" in given:
        raise invalid(
            "Give either allowed_payment_method_types or automatic_payment_methods.", param="automatic_payment_methods"
        )
    if not set(allowed) & set(TYPES):
        raise invalid("No allowed type of payment method can be used here.", param="allowed_payment_method_types")


def limit_types(given: Json, intent: Stored) -> None:
    """Take over a new list of allowed types; the intent's methods are no longer automatic then."""
    if "allowed_payment_method_types" in given:
        check_types(given)
        allowed = given["allowed_payment_method_types"]
        intent.body.update(allowed_payment_method_types=allowed, automatic_payment_methods=None)


def require_type(intent: Stored, method: Stored) -> None:
    """The method's type must be among those that the intent accepts, and take the intent's currency."""
    allowed, type_ = intent.body["allowed_payment_method_types"], method.body["type"]
    currencies = TYPES[type_]
    if (allowed is None or type_ in allowed) and (currencies is None or intent.body["currency"] in currencies.split()):
        return
    raise refused(
        f"A payment method of the type {type_} is not allowed for this PaymentIntent.",
        code="payment_intent_incompatible_payment_method",
    )


def choose_method(call: Call, intent: Stored, name: str) -> None:
    """Set the intent's method. Raises where the method is another customer's, or was detached."""
    method = payment_methods.resolve(call, name)
    owner, customer = method.body["customer"], intent.body["customer"]
    if owner is not None and owner != customer:
        raise refused(
            "This payment method belongs to a customer; name that customer on the PaymentIntent.",
            param="payment_method",
        )
    if owner is None and method.hidden.get("detached"):
        raise refused("This payment method was detached and may not be used again.", param="payment_method")
    intent.body["payment_method"] = method.id
    if intent.body["status"] == "requires_payment_method":
        intent.body["status"] = "requires_confirmation"


def close(call: Call, intent: Stored, *, reason: str | None) -> None:
    """Cancel, for whatever reason."""
    intent.body.update(
        status="canceled", canceled_at=call.now, cancellation_reason=reason, next_action=None, amount_capturable=0
    )
    call.tx.save(intent)
    events.happen(call, "payment_intent.canceled", intent.body)


def unexpected_state(intent: Stored, done: str) -> ApiError:
    """The intent's status forbids it; the error shows the intent."""
    return refused(
        f"This PaymentIntent's status is {intent.body['status']}, so it can't be {done}.",
        code="payment_intent_unexpected_state",
        payment_intent=intent.body,
    )
