"""Payouts: what an account's balance holds goes to its bank, and arrives or comes back."""

from __future__ import annotations

from billing.sandbox.stripe import charges, events, objects
from billing.sandbox.stripe.errors import refused
from billing.sandbox.stripe.finding import as_it_stands, the
from billing.sandbox.stripe.lists import page
from billing.sandbox.stripe.money import Moved
from billing.sandbox.stripe.params import CREATED, PAGE, TEXT, Spec
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.tx import Stored
from billing.sandbox.stripe.values import Json

LIST_SPEC: Spec = {**PAGE, "created": CREATED, "status": TEXT}
_PAID_OUT = "json_extract(hidden, '$.payout')"
_BY_HAND = "Balance transaction history can only be filtered on automatic transfers, not manual."


def create(call: Call, *, reconciliation_status: str) -> list[Json]:
    """Pay out all that no payout holds yet, one payout for each currency with something in it; below 0 it is drawn in.

    What it holds can be listed where that is `completed`: not while it is `in_progress`, as for some hours at Stripe,
    and never of one made by hand, which is `not_applicable`.
    """
    waiting = call.tx.select(
        f"account = ? and kind = 'balance_transaction' and {_PAID_OUT} is null and type <> 'payout'"
        " and json_extract(hidden, '$.promised') is null",
        (call.account,),
    )
    made = []
    for currency in sorted({each.body["currency"] for each in waiting}):
        of = [each for each in waiting if each.body["currency"] == currency]
        amount = sum(each.body["net"] for each in of)
        if amount:
            made.append(_create(call, of, amount, currency, reconciliation_status))
    return made


def _create(call: Call, of: list[Stored], amount: int, currency: str, reconciliation_status: str) -> Json:
    payout = call.tx.add(call.account, objects.payout(call.now, amount=amount, currency=currency))
    payout.body["reconciliation_status"] = reconciliation_status
    payout.body["automatic"] = reconciliation_status != "not_applicable"
    for each in of:
        each.hidden["payout"] = payout.id
        call.tx.save(each)
    booked = charges.book(call, Moved(-amount, currency), type="payout", source=payout.id)
    payout.body["balance_transaction"] = booked["id"]
    call.tx.save(payout)
    events.happen(call, "payout.created", payout.body)
    return payout.body


def tell(call: Call, id: str, status: str) -> Json:
    """How it ends: `paid`, or `failed` (also after it was paid, as banks do): then the money is back.

    `reconciled`: what it holds can be listed now.
    """
    payout = the(call, "payout", id)
    if status == "reconciled" and payout.body["reconciliation_status"] == "in_progress":
        payout.body["reconciliation_status"] = "completed"
        call.tx.save(payout)
        events.happen(call, "payout.reconciliation_completed", payout.body)
        return payout.body
    if status not in ("paid", "failed") or payout.body["status"] == "failed" or payout.body["status"] == status:
        raise refused("A payout is paid or fails, and may fail after it was paid.", param="status")
    payout.body["status"] = status
    if status == "failed":
        back = Moved(payout.body["amount"], payout.body["currency"])
        booked = charges.book(call, back, type="payout_failure", source=id)
        payout.body.update(failure_balance_transaction=booked["id"], failure_code="account_closed")
    call.tx.save(payout)
    events.happen(call, f"payout.{status}", payout.body)
    return payout.body


def list_(call: Call) -> Json:
    """The account's payouts, newest first."""
    also = ("json_extract(body, '$.status') = ?", [call.params["status"]]) if "status" in call.params else None
    return page(call, "payout", also=also)


def list_balance(call: Call) -> Json:
    """The account's balance transactions, newest first; with `payout` its own, and those that it holds."""
    also = None
    if "payout" in call.params:
        payout = the(call, "payout", call.params["payout"]).body
        if not payout["automatic"]:
            raise refused(_BY_HAND, param="payout")
        listed = payout["reconciliation_status"] == "completed"
        also = (f"(id = ? or {_PAID_OUT} = ?) and ?", [payout["balance_transaction"], payout["id"], listed])
    listed = page(call, "balance_transaction", filters=("source", "type"), also=also)
    return {**listed, "data": [as_it_stands(call, each) for each in listed["data"]]}
