"""Customers."""

from __future__ import annotations

from typing import Any

from billing.sandbox.stripe import events, objects, payment_methods
from billing.sandbox.stripe.finding import living_customer, the
from billing.sandbox.stripe.inner import ADDRESS, SHIPPING
from billing.sandbox.stripe.lists import page
from billing.sandbox.stripe.params import CREATED, LIST, METADATA, PAGE, TEXT, Spec, choice, hash_of, merged
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.values import Json

UPDATE_SPEC: Spec = {
    "address": ADDRESS,
    "description": TEXT,
    "email": TEXT,
    "expand": LIST,
    "invoice_settings": hash_of(default_payment_method=TEXT),
    "metadata": METADATA,
    "name": TEXT,
    "phone": TEXT,
    "preferred_locales": LIST,
    "shipping": SHIPPING,
    "tax_exempt": choice("none", "exempt", "reverse", ""),
}
CREATE_SPEC: Spec = {**UPDATE_SPEC, "payment_method": TEXT}
LIST_SPEC: Spec = {**PAGE, "created": CREATED, "email": TEXT}


def create(call: Call) -> Json:
    """A new customer, with a first payment method if one is named."""
    stored = call.tx.add(call.account, objects.customer(call.now, call.params))
    events.happen(call, "customer.created", stored.body)
    if "payment_method" in call.params:
        payment_methods.bind(call, payment_methods.resolve(call, call.params["payment_method"]), stored.id)
    return stored.body


def retrieve(call: Call) -> Json:
    """Also a deleted one: Stripe then shows its id and `deleted`."""
    return the(call, "customer", call.args["id"]).body


def update(call: Call) -> Json:
    """Change what is named; an empty text clears."""
    stored = living_customer(call, call.args["id"])
    changes: Json = {name: value if value != "" else None for name, value in call.params.items() if name != "expand"}
    if "metadata" in changes:
        changes["metadata"] = merged(stored.body["metadata"], changes["metadata"])
    if "invoice_settings" in changes:
        default = changes["invoice_settings"].get("default_payment_method")
        changes["invoice_settings"] = {**stored.body["invoice_settings"], "default_payment_method": default or None}
    previous = {name: stored.body[name] for name in changes if stored.body[name] != changes[name]}
    stored.body.update(changes)
    call.tx.save(stored)
    events.happen(call, "customer.updated", stored.body, previous=previous)
    return stored.body


def delete(call: Call) -> Json:
    """Delete for good; its methods are detached."""
    stored = living_customer(call, call.args["id"])
    for method in call.tx.select("kind = 'payment_method' and customer = ?", (stored.id,)):
        payment_methods.unbind(call, method)
    events.happen(call, "customer.deleted", stored.body)
    stored.body = {"id": stored.id, "object": "customer", "deleted": True}
    call.tx.save(stored)
    return stored.body


def list_(call: Call) -> Json:
    """Customers that are not deleted, newest first."""
    also = ["json_extract(body, '$.deleted') is null"]
    values: list[Any] = []
    if "email" in call.params:
        also.append("json_extract(body, '$.email') = ?")
        values.append(call.params["email"])
    return page(call, "customer", also=(" and ".join(also), values))
