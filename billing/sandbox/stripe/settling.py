"""How a charge ends: taken at once, captured later, or pending until it succeeds or fails."""

from __future__ import annotations

from billing.sandbox.stripe import charges, events, mandates, payment_methods
from billing.sandbox.stripe.cards import CARDS, FUNDS, Decline
from billing.sandbox.stripe.errors import refused
from billing.sandbox.stripe.finding import the
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.tx import Stored
from billing.sandbox.stripe.values import Json


def take(call: Call, intent: Stored, method: Stored) -> None:
    """The charge is authorized, and captured unless that is to be done by hand."""
    by_hand = intent.body["capture_method"] == "manual"
    charge = charges.begin(call, intent.body, method)
    charges.authorize(charge, captured=not by_hand)
    body = intent.body
    body.update(latest_charge=charge.id, last_payment_error=None, next_action=None)
    if by_hand:
        body.update(status="requires_capture", amount_capturable=body["amount"])
    else:
        body.update(status="succeeded", amount_received=body["amount"])
        charges.captured(call, charge)
        if payment_methods.card_of(method).dispute is not None:
            charges.later(call, "dispute", charge.id)
    call.tx.save(charge)
    call.tx.save(intent)
    events.happen(call, "charge.succeeded", charge.body)
    events.happen(call, "payment_intent.amount_capturable_updated" if by_hand else "payment_intent.succeeded", body)


def capture(call: Call, intent: Stored, amount: int) -> None:
    """Take an authorized charge, all or a part of it."""
    charge = the(call, "charge", intent.body["latest_charge"])
    charge.body.update(captured=True, amount_captured=amount)
    charges.captured(call, charge)
    intent.body.update(status="succeeded", amount_received=amount, amount_capturable=0)
    call.tx.save(charge)
    call.tx.save(intent)
    events.happen(call, "charge.captured", charge.body)
    events.happen(call, "payment_intent.succeeded", intent.body)


def begin(call: Call, intent: Stored, method: Stored, *, fails: bool) -> None:
    """A charge that stays pending; it ends by the clock, or by `/_sandbox/payment_intents/{id}/settle`."""
    charge = charges.begin(call, intent.body, method)
    intent.body.update(status="processing", latest_charge=charge.id, last_payment_error=None, next_action=None)
    debit = method.body["type"] == mandates.TYPE
    if debit:
        charges.promised(call, charge)
    after_s = call.config.debit_s if debit else call.config.processing_s
    charges.later(call, "fail" if fails else "succeed", intent.id, after_s=after_s)
    call.tx.save(charge)
    call.tx.save(intent)
    events.happen(call, "charge.pending", charge.body)
    events.happen(call, "payment_intent.processing", intent.body)


def succeeds(call: Call, id: str) -> None:
    """A pending charge has succeeded."""
    pending = _pending(call, id)
    if pending is None:
        return
    intent, charge = pending
    charges.authorize(charge, captured=True)
    if not charges.kept(call, charge):
        charges.captured(call, charge)
    intent.body.update(status="succeeded", amount_received=intent.body["amount"])
    if CARDS[charge.hidden["card"]].dispute is not None:
        charges.later(call, "dispute", charge.id, after_s=call.config.debit_return_s)
    call.tx.save(charge)
    call.tx.save(intent)
    events.happen(call, "charge.succeeded", charge.body)
    events.happen(call, "payment_intent.succeeded", intent.body)


def fails(call: Call, id: str) -> None:
    """A pending charge has failed, for want of funds where its test method says nothing else."""
    pending = _pending(call, id)
    if pending is None:
        return
    intent, charge = pending
    method = the(call, "payment_method", charge.body["payment_method"])
    why = CARDS[charge.hidden["card"]].decline or FUNDS
    charges.decline(charge, why)
    charges.broken(call, charge)
    declined(intent, charge, method, why)
    call.tx.save(charge)
    call.tx.save(intent)
    events.happen(call, "charge.failed", charge.body)
    events.happen(call, "payment_intent.payment_failed", intent.body)


def declined(intent: Stored, charge: Stored, method: Stored, why: Decline) -> Json:
    """Put the intent back: its method is cleared, the error stays on it. Returns the error's fields."""
    error: Json = {
        "type": "card_error",
        "code": why.code,
        "decline_code": why.decline_code or why.code,
        "charge": charge.id,
        "payment_method": method.body,
    }
    if why.advice_code:
        error["advice_code"] = why.advice_code
    intent.body.update(status="requires_payment_method", payment_method=None, latest_charge=charge.id, next_action=None)
    intent.body["last_payment_error"] = {**error, "message": why.message}
    intent.hidden["declined"] = True
    return error


def tell(call: Call, id: str, *, succeeded: bool) -> Json:
    """End a processing payment now, whatever the clock says."""
    if _pending(call, id) is None:
        raise refused("Only a payment that is processing can be told how it ends.")
    call.tx.sql("delete from timers where id = ? and what in ('succeed', 'fail')", (id,))
    (succeeds if succeeded else fails)(call, id)
    return the(call, "payment_intent", id).body


def _pending(call: Call, id: str) -> tuple[Stored, Stored] | None:
    intent = call.tx.get(call.account, "payment_intent", id)
    if intent is None or intent.body["status"] != "processing":
        return None
    return intent, the(call, "charge", intent.body["latest_charge"])
