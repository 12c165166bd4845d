"""PaymentIntents: create, read, update, cancel, list, search. Confirming is next door."""

from __future__ import annotations

from billing.sandbox.stripe import confirming, events, objects
from billing.sandbox.stripe.errors import invalid
from billing.sandbox.stripe.finding import living_customer, the
from billing.sandbox.stripe.inner import CHARGE_OPTIONS
from billing.sandbox.stripe.intent_state import (
    CHANGEABLE,
    check_types,
    choose_method,
    close,
    limit_types,
    unexpected_state,
)
from billing.sandbox.stripe.lists import page
from billing.sandbox.stripe.money import check_amount, check_settled, settled
from billing.sandbox.stripe.params import (
    BOOL,
    CREATED,
    GONE,
    INT,
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

_COMMON: Spec = {
    "allowed_payment_method_types": LIST,
    "capture_method": choice("automatic", "automatic_async", "manual"),
    "description": TEXT,
    "expand": LIST,
    "payment_method": TEXT,
    "payment_method_options": CHARGE_OPTIONS,
    "payment_method_types": GONE,
    "receipt_email": TEXT,
    "setup_future_usage": choice("off_session", "on_session", ""),
}
CREATE_SPEC: Spec = {
    **_COMMON,
    "amount": required("int"),
    "automatic_payment_methods": hash_of(enabled=required("bool"), allow_redirects=choice("always", "never")),
    "confirm": BOOL,
    "confirmation_method": choice("automatic", "manual"),
    "currency": required(),
    "customer": TEXT,
    "error_on_requires_action": BOOL,
    "metadata": METADATA,
    "off_session": TEXT,
    "return_url": TEXT,
    "use_stripe_sdk": BOOL,
    "statement_descriptor": TEXT,
    "statement_descriptor_suffix": TEXT,
}
UPDATE_SPEC: Spec = {
    **_COMMON,
    "amount": INT,
    "currency": TEXT,
    "customer": TEXT,
    "metadata": METADATA,
    "statement_descriptor": TEXT,
    "statement_descriptor_suffix": TEXT,
}
CANCEL_SPEC: Spec = {
    "cancellation_reason": choice("abandoned", "duplicate", "fraudulent", "requested_by_customer"),
    "expand": LIST,
}
RETRIEVE_SPEC: Spec = {"client_secret": TEXT, "expand": LIST}
LIST_SPEC: Spec = {**PAGE, "created": CREATED, "customer": TEXT}

_CANCELABLE = CHANGEABLE | {"requires_capture"}
"""Not `processing`: a card's pending charge is not called back."""
_PLAIN = """description receipt_email setup_future_usage capture_method statement_descriptor
    statement_descriptor_suffix""".split()


def create(call: Call) -> Json:
    """A new intent, confirmed in the same request if so asked."""
    given = call.params
    given["currency"] = given["currency"].lower()
    _check(call, given["amount"], given["currency"])
    if given.get("off_session") and not given.get("confirm"):
        raise invalid("off_session is only for a request that confirms.", param="off_session")
    if "customer" in given:
        living_customer(call, given["customer"], param="customer")
    check_types(given)
    body = objects.payment_intent(call.now, given)
    intent = Stored(body, {"confirms": 0}, call.account)
    if "payment_method" in given:
        choose_method(call, intent, given["payment_method"])
    events.happen(call, "payment_intent.created", body)
    if given.get("confirm"):
        confirming.attempt(call, intent)
    else:
        call.tx.save(intent)
    return intent.body


def update(call: Call) -> Json:
    """Change what is named, while nothing has moved."""
    intent = the(call, "payment_intent", call.args["id"])
    given = call.params
    touches = set(given) - {"metadata", "description", "expand", "receipt_email"}
    if touches and intent.body["status"] not in CHANGEABLE:
        raise unexpected_state(intent, "updated")
    amount = int(given["amount"] if "amount" in given else intent.body["amount"])
    currency = str(given.get("currency", intent.body["currency"])).lower()
    _check(call, amount, currency)
    intent.body.update(amount=amount, currency=currency)
    if "customer" in given:
        intent.body["customer"] = living_customer(call, given["customer"], param="customer").id
    for name in _PLAIN:
        if name in given:
            intent.body[name] = given[name] or None
    limit_types(given, intent)
    if "metadata" in given:
        intent.body["metadata"] = merged(intent.body["metadata"], given["metadata"])
    if "payment_method" in given:
        choose_method(call, intent, given["payment_method"])
    call.tx.save(intent)
    return intent.body


def cancel(call: Call) -> Json:
    """Cancel what has neither succeeded nor is on its way."""
    intent = the(call, "payment_intent", call.args["id"])
    if intent.body["status"] not in _CANCELABLE:
        raise unexpected_state(intent, "canceled")
    close(call, intent, reason=call.given("cancellation_reason"))
    return intent.body


def list_(call: Call) -> Json:
    """Intents, newest first."""
    return page(call, "payment_intent", filters=("customer",))


def _check(call: Call, amount: int, currency: str) -> None:
    minimums = call.config.minimum_amounts if call.config.minimums else {}
    check_amount(amount, currency, minimums=minimums, limits=call.config.limits)
    if call.config.minimums:
        check_settled(settled(amount, currency, call.config.settlement), minimums=minimums)
