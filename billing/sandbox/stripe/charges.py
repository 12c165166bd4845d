"""Charges: every try to move money, made by confirming an intent; and the balance transactions that follow."""

from __future__ import annotations

from billing.sandbox.stripe import events, objects
from billing.sandbox.stripe.cards import Decline
from billing.sandbox.stripe.errors import refused
from billing.sandbox.stripe.finding import the
from billing.sandbox.stripe.lists import page
from billing.sandbox.stripe.money import Moved, fee_of, settled
from billing.sandbox.stripe.params import CREATED, PAGE, TEXT, Spec
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.tx import Stored
from billing.sandbox.stripe.values import Json

LIST_SPEC: Spec = {**PAGE, "created": CREATED, "customer": TEXT, "payment_intent": TEXT}
BALANCE_LIST_SPEC: Spec = {**PAGE, "created": CREATED, "payout": TEXT, "source": TEXT, "type": TEXT}


def begin(call: Call, intent: Json, method: Stored) -> Stored:
    """A new charge of the intent, pending, to be saved once it is known how it ends.

    Hidden: the key it came under, and what its card will do later.
    """
    body = objects.charge(call.now, intent, method.body, mandate=method.hidden.get("mandate"))
    return Stored(body, {"key": call.key, "card": method.hidden["card"]}, call.account)


def authorize(charge: Stored, *, captured: bool) -> None:
    """The bank says yes; `captured` tells whether the money moves at once."""
    body = charge.body
    body.update(status="succeeded", paid=True, captured=captured, outcome=objects.outcome(authorized=True))
    body["amount_captured"] = body["amount"] if captured else 0


def decline(charge: Stored, why: Decline) -> None:
    """The bank says no."""
    reason = why.decline_code or why.code
    charge.body.update(status="failed", failure_code=why.code, failure_message=why.message)
    charge.body["outcome"] = objects.outcome(decline_code=reason, advice_code=why.advice_code, authorized=False)


def captured(call: Call, charge: Stored) -> None:
    """The money has moved: its balance transaction comes now, or by itself a little later."""
    if call.config.async_capture:
        later(call, "balance", charge.id)
    else:
        _book(call, charge)


def later(call: Call, what: str, id: str, *, after_s: int = 0) -> None:
    """Promise something for this many seconds of the stand-in's clock from now."""
    call.tx.sql(
        "insert into timers (due, account, what, id) values (?,?,?,?)", (call.now + after_s, call.account, what, id)
    )


def balance_arrives(call: Call, id: str) -> None:
    """The balance transaction that an asynchronous capture left out."""
    charge = call.tx.get(call.account, "charge", id)
    if charge is None or charge.body["balance_transaction"] is not None:
        return
    _book(call, charge)
    call.tx.save(charge)
    events.happen(call, "charge.updated", charge.body, previous={"balance_transaction": None})


def _book(call: Call, charge: Stored) -> None:
    moved = exchanged(call, charge, charge.body["amount_captured"])
    fee = fee_of(moved.amount, moved.currency)
    booked = book(call, moved, fee=fee, type=type_of(charge, "charge"), source=charge.id, category="charge")
    charge.body["balance_transaction"] = booked["id"]


def promised(call: Call, charge: Stored) -> None:
    """A debit's balance transaction is there from its beginning, pending until the bank has answered.

    Source: docs.stripe.com/reports/balance-transaction-types, "payment_failure_refund". No payout holds it before.
    """
    moved = exchanged(call, charge, charge.body["amount"])
    fee = fee_of(moved.amount, moved.currency)
    body = objects.balance_transaction(call.now, moved, fee=fee, source=charge.id, type="payment", category="charge")
    body["available_on"] = call.now + call.config.debit_s
    call.tx.add(call.account, body, {"promised": True})
    charge.body["balance_transaction"] = body["id"]


def kept(call: Call, charge: Stored) -> bool:
    """The bank has answered: whether there was such a promise."""
    id = charge.body["balance_transaction"]
    if id is None:
        return False
    booked = the(call, "balance_transaction", id)
    booked.hidden.pop("promised", None)
    call.tx.save(booked)
    return True


def broken(call: Call, charge: Stored) -> None:
    """A debit has failed: what was promised goes out of the balance again; its fee stays taken."""
    if kept(call, charge):
        moved = exchanged(call, charge, -charge.body["amount"])
        back = book(call, moved, type="payment_failure_refund", source=charge.id, category="charge_failure")
        charge.body["failure_balance_transaction"] = back["id"]


def reverse(call: Call, id: str) -> Json:
    """A banking partner takes the money of a charge back: a movement tells of it, and nothing else.

    Source: docs.stripe.com/reports/balance-transaction-types, "payment_reversal".
    """
    charge = the(call, "charge", id)
    if charge.body["status"] != "succeeded":
        raise refused("Only a charge that succeeded can be taken back.", param="charge")
    moved = exchanged(call, charge, -charge.body["amount"])
    return book(call, moved, type="payment_reversal", source=charge.id)


def type_of(charge: Stored, of_card: str) -> str:
    """The type of a movement: what is no card's has its own names (docs.stripe.com/reports/balance-transaction-types).

    `of_card`: charge, refund or refund_failure.
    """
    if charge.body["payment_method_details"]["type"] == "card":
        return of_card
    return "payment" if of_card == "charge" else "payment_refund"


def exchanged(call: Call, charge: Stored, amount: int) -> Moved:
    """What an amount of the charge's currency comes to in the balance now."""
    return settled(amount, charge.body["currency"], call.config.settlement)


def book(call: Call, moved: Moved, *, type: str, source: str, fee: int = 0, category: str | None = None) -> Json:
    """A balance transaction: the gross amount that moved and the fee taken, in the smallest unit of its currency."""
    body = objects.balance_transaction(call.now, moved, fee=fee, source=source, type=type, category=category or type)
    return call.tx.add(call.account, body).body


def list_(call: Call) -> Json:
    """The account's charges, newest first."""
    return page(call, "charge", filters=("customer", "payment_intent"))
