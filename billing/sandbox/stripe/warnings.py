"""Early fraud warnings: an issuer's word that a charge may be fraud, before any dispute."""

from __future__ import annotations

from billing.sandbox.stripe import events, objects
from billing.sandbox.stripe.finding import the
from billing.sandbox.stripe.lists import page
from billing.sandbox.stripe.params import CREATED, PAGE, TEXT, Spec
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.values import Json

KIND = "radar.early_fraud_warning"
LIST_SPEC: Spec = {**PAGE, "charge": TEXT, "created": CREATED, "payment_intent": TEXT}


def warn(call: Call, charge_id: str, *, fraud_type: str) -> Json:
    """Warn of a charge."""
    charge = the(call, "charge", charge_id, param="charge")
    body = objects.early_fraud_warning(call.now, charge=charge.body, fraud_type=fraud_type)
    call.tx.add(call.account, body)
    events.happen(call, f"{KIND}.created", body)
    return body


def acted_on(call: Call, charge_id: str) -> None:
    """The charge was refunded in full or is disputed: the warnings of it ask for nothing any more."""
    for warning in call.tx.select("kind = ? and charge = ?", (KIND, charge_id), order="seq"):
        if warning.body["actionable"]:
            warning.body["actionable"] = False
            call.tx.save(warning)
            events.happen(call, f"{KIND}.updated", warning.body)


def list_(call: Call) -> Json:
    """Warnings, newest first."""
    return page(call, KIND, filters=("charge", "payment_intent"))
