"""Payment methods. A test name such as `pm_card_visa` makes a new method each time it is used, as at Stripe."""

from __future__ import annotations

from billing.sandbox.stripe import events, mandates, objects
from billing.sandbox.stripe.cards import CARDS, Card
from billing.sandbox.stripe.errors import ApiError, refused
from billing.sandbox.stripe.finding import living_customer, the
from billing.sandbox.stripe.lists import page
from billing.sandbox.stripe.params import INT, LIST, METADATA, PAGE, Spec, choice, hash_of, merged, required
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.tx import Stored
from billing.sandbox.stripe.values import Json

ATTACH_SPEC: Spec = {"customer": required(), "expand": LIST}
DETACH_SPEC: Spec = {"expand": LIST}
UPDATE_SPEC: Spec = {"card": hash_of(exp_month=INT, exp_year=INT), "expand": LIST, "metadata": METADATA}
OF_CUSTOMER_SPEC: Spec = {**PAGE, "type": choice("card", "paypal", "sepa_debit")}
LIST_SPEC: Spec = {**OF_CUSTOMER_SPEC, "customer": required()}


def resolve(call: Call, name: str) -> Stored:
    """The method of that id, or a new one for a test name. Hidden: the test name that it stands for."""
    card = CARDS.get(name)
    if card is None:
        return the(call, "payment_method", name, param="payment_method")
    made = call.tx.add(call.account, objects.payment_method(call.now, card), {"card": name})
    if made.body["type"] in mandates.TYPES:
        # As of one whose mandate was brought along from elsewhere.
        mandates.give(call, made, online=False)
    return made


def card_of(method: Stored) -> Card:
    """The test card that a method stands for."""
    return CARDS[method.hidden["card"]]


def bind(call: Call, method: Stored, customer: str) -> Stored:
    """Attach a method to a customer. Attaching it again to the same one changes nothing."""
    living_customer(call, customer, param="customer")
    if method.body["customer"] == customer:
        return method
    if method.body["customer"] is not None or method.hidden.get("detached"):
        raise refused(
            "This payment method is, or was, attached to a customer and cannot be attached to another.",
            code="resource_already_exists" if method.body["customer"] else "payment_method_unactivated",
        )
    card = card_of(method)
    if not card.saves and card.decline is not None and not call.config.save_declining_cards:
        raise ApiError(
            402,
            card.decline.message,
            type="card_error",
            code=card.decline.code,
            decline_code=card.decline.decline_code or card.decline.code,
            advice_code=card.decline.advice_code,
        )
    method.body["customer"] = customer
    call.tx.save(method)
    events.happen(call, "payment_method.attached", method.body)
    return method


def unbind(call: Call, method: Stored) -> None:
    """Detach for good: Stripe lets no detached method be used again."""
    previous = {"customer": method.body["customer"]}
    method.body["customer"] = None
    method.hidden["detached"] = True
    call.tx.save(method)
    events.happen(call, "payment_method.detached", method.body, previous=previous)


def attach(call: Call) -> Json:
    """POST payment_methods/<id>/attach; the id may be a test name."""
    return bind(call, resolve(call, call.args["id"]), call.params["customer"]).body


def detach(call: Call) -> Json:
    """POST payment_methods/<id>/detach."""
    method = the(call, "payment_method", call.args["id"])
    if method.body["customer"] is None:
        raise refused("This payment method is not attached to a customer, so it cannot be detached.")
    unbind(call, method)
    return method.body


def retrieve(call: Call) -> Json:
    """A method; a test name shows a new one."""
    return (
        resolve(call, call.args["id"]).body
        if call.args["id"] in CARDS
        else the(call, "payment_method", call.args["id"]).body
    )


def update(call: Call) -> Json:
    """Metadata, and the date until which a card is good."""
    method = the(call, "payment_method", call.args["id"])
    method.body["metadata"] = merged(method.body["metadata"], call.given("metadata", {}))
    if "card" in method.body:
        method.body["card"] |= call.given("card", {})
    call.tx.save(method)
    events.happen(call, "payment_method.updated", method.body)
    return method.body


def list_(call: Call) -> Json:
    """A customer's methods, newest first."""
    living_customer(call, call.params["customer"], param="customer")
    return page(call, "payment_method", filters=("customer", "type"))


def list_of_customer(call: Call) -> Json:
    """The same by the customer's own path."""
    customer = living_customer(call, call.args["id"])
    return page(call, "payment_method", filters=("type",), also=("customer = ?", [customer.id]))


def retrieve_of_customer(call: Call) -> Json:
    """One method of a customer."""
    living_customer(call, call.args["id"])
    return the(call, "payment_method", call.args["method"]).body
