"""Single reads: the object of an id, or the error that Stripe gives."""

from __future__ import annotations

from billing.sandbox.stripe.errors import missing
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.tx import Stored
from billing.sandbox.stripe.values import Json

_NAMES = {
    "setup_intent": "setupintent",
    "balance_transaction": "balance transaction",
    "webhook_endpoint": "webhook endpoint",
}


def the(call: Call, kind: str, id: str, *, param: str = "id") -> Stored:
    """The object of this kind and id. 404 if the path names it, 400 if a parameter does (`param` is not `id`)."""
    found = call.tx.get(call.account, kind, id)
    if found is None:
        raise missing(_NAMES.get(kind, kind), id, param=param, status=404 if param == "id" else 400)
    return found


def retrieve(call: Call, kind: str) -> Json:
    """The object that the path names."""
    return as_it_stands(call, the(call, kind, call.args["id"]).body)


def as_it_stands(call: Call, body: Json) -> Json:
    """What time alone changes: a movement of the balance is available from its moment on."""
    ripe = body.get("object") == "balance_transaction" and body["available_on"] <= call.now
    return {**body, "status": "available"} if ripe else body


def living_customer(call: Call, id: str, *, param: str = "id") -> Stored:
    """A customer that has not been deleted."""
    stored = the(call, "customer", id, param=param)
    if stored.body.get("deleted"):
        raise missing("customer", id, param=param, status=404 if param == "id" else 400)
    return stored
