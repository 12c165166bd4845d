"""Refunds: at once, pending until told, or succeeded and failed afterwards, as the card or the request wants."""

from __future__ import annotations

from billing.sandbox.stripe import charges, events, mandates, objects, warnings
from billing.sandbox.stripe.cards import CARDS
from billing.sandbox.stripe.errors import invalid, refused
from billing.sandbox.stripe.finding import the
from billing.sandbox.stripe.lists import page
from billing.sandbox.stripe.params import CREATED, INT, LIST, METADATA, PAGE, TEXT, Spec, choice, merged
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.tx import Stored
from billing.sandbox.stripe.values import Json

_DEBIT_S = 180 * 86_400

CREATE_SPEC: Spec = {
    "amount": INT,
    "charge": TEXT,
    "expand": LIST,
    "metadata": METADATA,
    "payment_intent": TEXT,
    "reason": choice("duplicate", "fraudulent", "requested_by_customer"),
}
UPDATE_SPEC: Spec = {"expand": LIST, "metadata": METADATA}
LIST_SPEC: Spec = {**PAGE, "charge": TEXT, "created": CREATED, "payment_intent": TEXT}


def create(call: Call) -> Json:
    """Refund a charge, or the latest one of an intent."""
    charge = _charge(call)
    left = charge.body["amount_captured"] - charge.body["amount_refunded"]
    amount = call.given("amount", left)
    _check(charge, amount, left)
    if charge.body["payment_method_details"]["type"] in mandates.TYPES and call.now - charge.body["created"] > _DEBIT_S:
        raise refused("What is no card can be refunded for 180 days.", code="charge_not_refundable")
    card = CARDS[charge.hidden["card"]]
    pending = call.config.refunds_pending or card.refund == "pending"
    body = objects.refund(
        call.now, amount=amount, charge=charge.body, status="pending" if pending else "succeeded", given=call.params
    )
    refund = call.tx.add(call.account, body)
    _move(call, charge, amount)
    moved, type_ = charges.exchanged(call, charge, -amount), charges.type_of(charge, "refund")
    booked = charges.book(call, moved, type=type_, source=refund.id, category="refund")
    body["balance_transaction"] = booked["id"]
    call.tx.save(refund)
    if card.refund == "pending":
        charges.later(call, "refund_succeeds", refund.id, after_s=call.config.refund_pending_s)
    if card.refund == "fails":
        charges.later(call, "refund_fails", refund.id, after_s=call.config.refund_pending_s)
    events.happen(call, "refund.created", body)
    events.happen(call, "charge.refunded", charge.body)
    return body


def _charge(call: Call) -> Stored:
    if ("charge" in call.params) == ("payment_intent" in call.params):
        raise invalid(
            "Name either the charge or the payment_intent to refund.", code="parameter_missing", param="charge"
        )
    if "charge" in call.params:
        return the(call, "charge", call.params["charge"], param="charge")
    intent = the(call, "payment_intent", call.params["payment_intent"], param="payment_intent")
    if intent.body["latest_charge"] is None:
        raise refused("This PaymentIntent has no successful charge to refund.", param="payment_intent")
    return the(call, "charge", intent.body["latest_charge"])


def _check(charge: Stored, amount: int, left: int) -> None:
    if charge.body["status"] != "succeeded" or not charge.body["captured"]:
        raise refused("Only a charge that succeeded and was captured can be refunded.", param="charge")
    if charge.hidden.get("disputed"):
        raise refused("This charge is disputed and cannot be refunded.", code="charge_disputed")
    if left == 0:
        raise refused(f"Charge {charge.id} is refunded in full already.", code="charge_already_refunded")
    if amount < 1:
        raise invalid("A refund is at least 1.", code="parameter_invalid_integer", param="amount")
    if amount > left:
        raise refused(f"The refund of {amount} is more than the {left} that is left of the charge.", param="amount")


def _move(call: Call, charge: Stored, amount: int) -> None:
    refunded = charge.body["amount_refunded"] + amount
    charge.body.update(amount_refunded=refunded, refunded=refunded == charge.body["amount"])
    call.tx.save(charge)
    if charge.body["refunded"]:
        warnings.acted_on(call, charge.id)


def update(call: Call) -> Json:
    """Metadata only."""
    refund = the(call, "refund", call.args["id"])
    refund.body["metadata"] = merged(refund.body["metadata"], call.given("metadata", {}))
    call.tx.save(refund)
    events.happen(call, "refund.updated", refund.body)
    return refund.body


def cancel(_: Call) -> Json:
    """Refused: only refunds that wait for the customer can be canceled."""
    raise refused("Only a refund that requires action can be canceled; a card's never does.")


def list_(call: Call) -> Json:
    """Refunds, newest first."""
    return page(call, "refund", filters=("charge", "payment_intent"))


def succeeds(call: Call, id: str) -> None:
    """A pending refund has arrived."""
    refund = the(call, "refund", id)
    if refund.body["status"] != "pending":
        return
    refund.body["status"] = "succeeded"
    call.tx.save(refund)
    events.happen(call, "refund.updated", refund.body)
    events.happen(call, "charge.refund.updated", refund.body)


def fails(call: Call, id: str) -> None:
    """The money comes back to the balance: the charge is no longer refunded by this amount."""
    refund = the(call, "refund", id)
    if refund.body["status"] == "failed":
        return
    charge = the(call, "charge", refund.body["charge"])
    amount = refund.body["amount"]
    _move(call, charge, -amount)
    moved, type_ = charges.exchanged(call, charge, amount), charges.type_of(charge, "refund_failure")
    booked = charges.book(call, moved, type=type_, source=refund.id, category="refund_failure")
    refund.body.update(
        status="failed", failure_reason="expired_or_canceled_card", failure_balance_transaction=booked["id"]
    )
    call.tx.save(refund)
    events.happen(call, "refund.failed", refund.body)
    events.happen(call, "charge.refund.updated", refund.body)


def tell(call: Call, id: str, status: str) -> Json:
    """End a refund as asked, whatever the clock says."""
    if status not in ("succeeded", "failed"):
        raise refused("A refund can be told to succeed or to fail.", param="status")
    call.tx.sql("delete from timers where id = ? and what in ('refund_succeeds', 'refund_fails')", (id,))
    (succeeds if status == "succeeded" else fails)(call, id)
    return the(call, "refund", id).body
