"""PaymentIntents: create, read, update, cancel, list, search. Confirming is next door."""

from __future__ import annotations

import re
from typing import Any

from billing.sandbox.stripe import confirming, customers, events, objects, payment_methods
from billing.sandbox.stripe.errors import ApiError, invalid, refused
from billing.sandbox.stripe.lists import page, the
from billing.sandbox.stripe.money import check_amount
from billing.sandbox.stripe.params import (
    ANY,
    BOOL,
    CREATED,
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
    "capture_method": choice("automatic", "automatic_async", "manual"),
    "description": TEXT,
    "expand": LIST,
    "payment_method": TEXT,
    "payment_method_options": ANY,
    "payment_method_types": LIST,
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
SEARCH_SPEC: Spec = {"expand": LIST, "limit": INT, "page": TEXT, "query": required()}

CHANGEABLE = frozenset(("requires_payment_method", "requires_confirmation", "requires_action"))
CANCELABLE = CHANGEABLE | {"requires_capture", "processing"}
_PLAIN = ("description", "payment_method_types", "receipt_email", "setup_future_usage", "capture_method")
_PLAIN_TOO = ("statement_descriptor", "statement_descriptor_suffix")


def create(call: Call) -> Json:
    given = call.params
    given["currency"] = given["currency"].lower()
    check_amount(given["amount"], given["currency"], minimums=_minimums(call))
    if given.get("off_session") and not given.get("confirm"):
        raise invalid("off_session is only for a request that confirms.", param="off_session")
    if "customer" in given:
        customers.present(call, given["customer"], param="customer")
    body = objects.payment_intent(call.now, given)
    intent = Stored(body, {"confirms": 0}, call.account)
    if "payment_method" in given:
        choose_method(call, intent, given["payment_method"])
    intent = call.tx.add(call.account, body, intent.hidden)
    events.happen(call, "payment_intent.created", body)
    if given.get("confirm"):
        confirming.attempt(call, intent)
    return intent.body


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


def update(call: Call) -> Json:
    intent = the(call, "payment_intent", call.args["id"])
    given = call.params
    touches = set(given) - {"metadata", "description", "expand", "receipt_email"}
    if touches and intent.body["status"] not in CHANGEABLE:
        raise unexpected_state(intent, "updated")
    amount = given.get("amount", intent.body["amount"])
    currency = given.get("currency", intent.body["currency"]).lower()
    check_amount(amount, currency, minimums=_minimums(call))
    intent.body.update(amount=amount, currency=currency)
    if "customer" in given:
        intent.body["customer"] = customers.present(call, given["customer"], param="customer").id
    for name in (*_PLAIN, *_PLAIN_TOO):
        if name in given:
            intent.body[name] = given[name] or None
    if "metadata" in given:
        intent.body["metadata"] = merged(intent.body["metadata"], given["metadata"])
    if "payment_method" in given:
        choose_method(call, intent, given["payment_method"])
    call.tx.save(intent)
    return intent.body


def cancel(call: Call) -> Json:
    intent = the(call, "payment_intent", call.args["id"])
    if intent.body["status"] not in CANCELABLE:
        raise unexpected_state(intent, "canceled")
    if intent.body["status"] == "processing":
        raise unexpected_state(intent, "canceled while its charge is pending")
    close(call, intent, reason=call.given("cancellation_reason"))
    return intent.body


def close(call: Call, intent: Stored, *, reason: str | None) -> None:
    intent.body.update(
        status="canceled", canceled_at=call.now, cancellation_reason=reason, next_action=None, amount_capturable=0
    )
    call.tx.save(intent)
    events.happen(call, "payment_intent.canceled", intent.body)


def unexpected_state(intent: Stored, done: str) -> ApiError:
    return refused(
        f"This PaymentIntent's status is {intent.body['status']}, so it can't be {done}.",
        code="payment_intent_unexpected_state",
        payment_intent=intent.body,
    )


def list_(call: Call) -> Json:
    return page(call, "payment_intent", filters=("customer",))


_CLAUSE = re.compile(
    r"\s*(?:metadata\[['\"](?P<name>[^'\"]+)['\"]\]|(?P<field>[a-z_]+))\s*:\s*(?:['\"](?P<text>[^'\"]*)['\"]|(?P<number>\d+))\s*\Z"
)
_SEARCHED = frozenset(("amount", "currency", "customer", "status"))


def search(call: Call) -> Json:
    """Search by metadata and a few fields, joined by AND; blind to what is younger than `search_lag_s`."""
    where, values = ["created <= ?"], [call.now - call.config.search_lag_s]
    for clause in re.split(r"\s+AND\s+", call.params["query"]):
        found = _CLAUSE.match(clause)
        if found is None or (found["field"] and found["field"] not in _SEARCHED):
            raise invalid(
                "The stand-in searches metadata['name']:'value' and a few fields, joined by AND.", param="query"
            )
        path = f'$.metadata."{found["name"]}"' if found["name"] else f"$.{found['field']}"
        where.append("json_extract(body, ?) = ?")
        values += [path, int(found["number"]) if found["number"] else found["text"]]
    if "page" in call.params:
        where.append("seq < ?")
        values.append(int(call.params["page"]))
    listed = page(call, "payment_intent", also=(" and ".join(where), values))
    last: Any = None
    if listed["has_more"]:
        last = str(the(call, "payment_intent", listed["data"][-1]["id"]).seq)
    return {**listed, "object": "search_result", "next_page": last}


def _minimums(call: Call) -> dict[str, int]:
    return call.config.minimum_amounts if call.config.minimums else {}
