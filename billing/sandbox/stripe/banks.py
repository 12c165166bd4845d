"""What banks do by themselves: give a card a new date, or end the leave to charge a method."""

from __future__ import annotations

from billing.sandbox.stripe import events, mandates, objects
from billing.sandbox.stripe.errors import refused
from billing.sandbox.stripe.finding import the
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.values import Json


def renew(call: Call, id: str, card: Json) -> Json:
    """A card has new data, such as the date until which it is good."""
    method = the(call, "payment_method", id)
    if method.body["type"] != "card":
        raise refused("Only a card is renewed.")
    previous = {"card": {name: method.body["card"].get(name) for name in card}}
    method.body["card"] |= card
    call.tx.save(method)
    events.happen(call, "payment_method.automatically_updated", method.body, previous=previous)
    return method.body


def end_mandate(call: Call, method_id: str) -> Json:
    """The leave to charge a method is taken back; the mandate is shown from now on."""
    method = the(call, "payment_method", method_id, param="payment_method")
    if method.hidden.get("mandate"):
        return mandates.end(call, method).body
    body = objects.mandate(method=method.body, status="inactive")
    call.tx.add(call.account, {**body, "created": call.now})
    events.happen(call, "mandate.updated", body)
    return body
