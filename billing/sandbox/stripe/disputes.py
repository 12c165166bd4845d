"""Disputes: an inquiry moves no money; a chargeback takes the amount and a fee, and gives the amount back when won.

Who is enrolled in prevention also sees those that never became one: a `block` moves nothing, a `resolution` gives the
customer the money back (docs.stripe.com/changelog/basil/2025-08-27/add-preventions-to-dispute). Who has switched
appeals on sees what the bank answers to evidence (docs.stripe.com/disputes/arbitration).
"""

from __future__ import annotations

from billing.sandbox.stripe import charges, events, objects, warnings
from billing.sandbox.stripe.cards import CARDS
from billing.sandbox.stripe.errors import refused
from billing.sandbox.stripe.finding import the
from billing.sandbox.stripe.inner import EVIDENCE
from billing.sandbox.stripe.lists import page
from billing.sandbox.stripe.money import DISPUTE_FEE
from billing.sandbox.stripe.params import BOOL, CREATED, LIST, METADATA, PAGE, TEXT, Spec, merged
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.tx import Stored
from billing.sandbox.stripe.values import Json

UPDATE_SPEC: Spec = {"evidence": EVIDENCE, "expand": LIST, "metadata": METADATA, "submit": BOOL}
LIST_SPEC: Spec = {**PAGE, "charge": TEXT, "created": CREATED, "payment_intent": TEXT}
_OVER = frozenset(("won", "lost", "warning_closed", "prevented"))
PREVENTIONS = ("block", "resolution")


def opens(call: Call, id: str) -> None:
    """What a test card such as `pm_card_createDispute` promised."""
    reason = CARDS[the(call, "charge", id).hidden["card"]].dispute or "fraudulent"
    inquiry = reason == "inquiry"
    open_(call, id, amount=None, reason="fraudulent" if inquiry else reason, inquiry=inquiry)


def open_(
    call: Call,
    charge_id: str,
    *,
    amount: int | None,
    reason: str,
    inquiry: bool,
    currency: str | None = None,
    prevented: str | None = None,
) -> Json:
    """Open a dispute; `amount` in the smallest unit, None = all of the charge.

    `currency` is the cardholder's where it is not the charge's: the amount is then in it, and all of the charge goes.
    `prevented`: `block` or `resolution`; it is over as it begins.
    """
    charge = the(call, "charge", charge_id, param="charge")
    amount = charge.body["amount"] if amount is None else amount
    if inquiry and charge.body["payment_method_details"]["type"] != "card":
        raise refused("Only a card's charge has an inquiry here.", param="inquiry")
    if prevented is not None and (inquiry or prevented not in PREVENTIONS):
        raise refused("A dispute that is prevented is a block or a resolution.", param="prevented")
    if charge.body["status"] != "succeeded" or charge.hidden.get("disputed"):
        raise refused("Only a charge that succeeded and is not disputed yet can be disputed.", param="charge")
    foreign = currency is not None and currency != charge.body["currency"]
    if not amount > 0 or (amount > charge.body["amount"] and not foreign):
        raise refused("A dispute is of at most the charge's amount.", param="amount")
    body = objects.dispute(
        call.now,
        charge=charge.body,
        amount=amount,
        currency=currency or charge.body["currency"],
        reason=reason,
        inquiry=inquiry,
        prevented=prevented,
    )
    dispute = call.tx.add(call.account, body)
    charge.body["disputed"] = True
    charge.hidden["disputed"] = not inquiry and prevented != "block"
    call.tx.save(charge)
    events.happen(call, "charge.dispute.created", body)
    warnings.acted_on(call, charge_id)
    if charge.hidden["disputed"]:
        _withdraw(call, dispute, charge)
    if body["status"] in _OVER:
        # A bank gives its customer's money back without a question, and nobody hears the seller.
        events.happen(call, "charge.dispute.closed", body)
    return body


def escalate(call: Call, id: str) -> Json:
    """An inquiry becomes a chargeback: the money goes now."""
    dispute = the(call, "dispute", id)
    if not dispute.body["status"].startswith("warning"):
        raise refused("Only an inquiry can become a chargeback.")
    charge = the(call, "charge", dispute.body["charge"])
    charge.hidden["disputed"] = True
    call.tx.save(charge)
    dispute.body.update(status="needs_response", is_charge_refundable=False)
    dispute.body["payment_method_details"]["card"]["case_type"] = "chargeback"
    call.tx.save(dispute)
    events.happen(call, "charge.dispute.updated", dispute.body)
    _withdraw(call, dispute, charge)
    return dispute.body


def reject(call: Call, id: str) -> Json:
    """The bank does not accept the evidence, and the seller may appeal to the network; the money stays where it is."""
    dispute = the(call, "dispute", id)
    if dispute.body["status"] not in ("needs_response", "under_review"):
        raise refused("Only a chargeback that is not over can be appealed.")
    dispute.body["status"] = "appeal_needs_response"
    call.tx.save(dispute)
    events.happen(call, "charge.dispute.updated", dispute.body)
    return dispute.body


def _withdraw(call: Call, dispute: Stored, charge: Stored) -> None:
    _book(call, dispute, charge, amount=-_worth(dispute, charge), fee=DISPUTE_FEE, category="dispute")
    events.happen(call, "charge.dispute.funds_withdrawn", dispute.body)


def _worth(dispute: Stored, charge: Stored) -> int:
    """What it takes from the balance: in the charge's currency, all of the charge where the dispute's is another."""
    same = dispute.body["currency"] == charge.body["currency"]
    return int((dispute if same else charge).body["amount"])


def close(call: Call, id: str, status: str) -> Json:
    """End it: `won`, `lost`, or `warning_closed` for an inquiry. An issuer may give in after it has won."""
    dispute = the(call, "dispute", id)
    inquiry = dispute.body["status"].startswith("warning")
    gives_in = (dispute.body["status"], status) == ("lost", "won")
    if dispute.body["status"] in _OVER and not gives_in:
        raise refused("This dispute is closed already.")
    if status not in (("warning_closed",) if inquiry else ("won", "lost")):
        raise refused("A chargeback ends won or lost, an inquiry warning_closed.", param="status")
    charge = the(call, "charge", dispute.body["charge"])
    dispute.body.update(status=status, is_charge_refundable=False)
    if status == "won":
        charge.hidden["disputed"] = False
        call.tx.save(charge)
        _book(call, dispute, charge, amount=_worth(dispute, charge), fee=0, category="dispute_reversal")
        events.happen(call, "charge.dispute.funds_reinstated", dispute.body)
    call.tx.save(dispute)
    events.happen(call, "charge.dispute.closed", dispute.body)
    return dispute.body


def _book(call: Call, dispute: Stored, charge: Stored, *, amount: int, fee: int, category: str) -> None:
    moved = charges.exchanged(call, charge, amount)
    booked = charges.book(call, moved, fee=fee, type="adjustment", source=dispute.id, category=category)
    dispute.body["balance_transactions"].append(booked)
    call.tx.save(dispute)


def update(call: Call) -> Json:
    """Evidence and metadata; `submit` hands it in."""
    dispute = the(call, "dispute", call.args["id"])
    dispute.body["metadata"] = merged(dispute.body["metadata"], call.given("metadata", {}))
    if call.given("evidence"):
        dispute.body["evidence"].update(call.params["evidence"])
        dispute.body["evidence_details"]["has_evidence"] = True
    if call.given("submit"):
        dispute.body["evidence_details"]["submission_count"] += 1
        stage = next((each for each in ("warning_", "appeal_") if dispute.body["status"].startswith(each)), "")
        dispute.body["status"] = f"{stage}under_review"
    call.tx.save(dispute)
    events.happen(call, "charge.dispute.updated", dispute.body)
    return dispute.body


def close_by_us(call: Call) -> Json:
    """Giving in: the dispute is lost."""
    inquiry = the(call, "dispute", call.args["id"]).body["status"].startswith("warning")
    return close(call, call.args["id"], "warning_closed" if inquiry else "lost")


def list_(call: Call) -> Json:
    """Disputes, newest first."""
    return page(call, "dispute", filters=("charge", "payment_intent"))
