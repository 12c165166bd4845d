"""Mandates: the leave to debit a bank account or a wallet at PayPal, given with it and needed for each charge."""

from __future__ import annotations

from billing.sandbox.stripe import events, objects
from billing.sandbox.stripe.errors import refused
from billing.sandbox.stripe.finding import the
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.tx import Stored

TYPE = "sepa_debit"
TYPES = frozenset((TYPE, "paypal"))


def give(call: Call, method: Stored, *, online: bool) -> str:
    """The holder agrees. Returns the mandate's id."""
    body = objects.mandate(method=method.body, status="active", online=online)
    call.tx.add(call.account, {**body, "created": call.now})
    method.hidden["mandate"] = body["id"]
    call.tx.save(method)
    return str(body["id"])


def require_active(call: Call, method: Stored) -> None:
    """Raise where the mandate that a charge would go by has ended; what needs none passes."""
    if method.body["type"] not in TYPES:
        return
    mandate = the(call, "mandate", method.hidden["mandate"])
    if mandate.body["status"] != "active":
        raise refused(
            "The mandate has ended, so it cannot be used for this payment.", code="payment_intent_mandate_invalid"
        )


def end(call: Call, method: Stored) -> Stored:
    """The holder or the bank takes it back."""
    mandate = the(call, "mandate", method.hidden["mandate"])
    mandate.body["status"] = "inactive"
    call.tx.save(mandate)
    events.happen(call, "mandate.updated", mandate.body)
    return mandate
