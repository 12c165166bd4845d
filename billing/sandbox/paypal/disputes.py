"""Disputes: an inquiry moves no money; a chargeback takes the amount, and gives it back when it is won."""

from __future__ import annotations

from billing.sandbox.paypal import captures, events
from billing.sandbox.paypal.errors import invalid, missing, require_feature, unprocessable
from billing.sandbox.paypal.values import instant, links, money, new_id, second
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.tx import Stored
from billing.sandbox.stripe.values import Json

KIND = "dispute"
_DUE_S = 10 * 86_400
_LISTED_S = 180 * 86_400
_MOST = 50
_FEE = "DISPUTE_FEE"
_STATUS = {
    "warning_needs_response": "WAITING_FOR_SELLER_RESPONSE",
    "needs_response": "WAITING_FOR_SELLER_RESPONSE",
    "won": "RESOLVED",
    "lost": "RESOLVED",
    "warning_closed": "RESOLVED",
}
_OUTCOME = {
    "won": "RESOLVED_SELLER_FAVOUR",
    "lost": "RESOLVED_BUYER_FAVOUR",
    "warning_closed": "CANCELED_BY_BUYER",
}


def open_(call: Call, charge: str, *, amount: int | None, inquiry: bool) -> Json:
    """Open one; `amount` in minor units, None: all of the capture."""
    capture = captures.the(call, charge)
    if capture.body["status"] != "succeeded":
        raise unprocessable("TRANSACTION_NOT_DISPUTABLE")
    body = {
        "id": f"PP-R-{new_id(3)}-{new_id(8)}",
        "object": KIND,
        "created": call.now,
        "charge": capture.id,
        "amount": capture.body["amount"] if amount is None else amount,
        "currency": capture.body["currency"],
        "status": "warning_needs_response" if inquiry else "needs_response",
        "balance_transactions": [],
    }
    dispute = call.tx.add(call.account, body, {"stage": "INQUIRY" if inquiry else "CHARGEBACK"})
    if not inquiry:
        _take(call, dispute)
    events.happen(call, "CUSTOMER.DISPUTE.CREATED", KIND, shown(dispute))
    return shown(dispute)


def escalate(call: Call, id: str) -> Json:
    """An inquiry becomes a chargeback."""
    dispute = the(call, id)
    dispute.body["status"], dispute.hidden["stage"] = "needs_response", "CHARGEBACK"
    _take(call, dispute)
    events.happen(call, "CUSTOMER.DISPUTE.UPDATED", KIND, shown(dispute))
    return shown(dispute)


def close(call: Call, id: str, status: str) -> Json:
    """`won`, `lost` or `warning_closed`."""
    dispute = the(call, id)
    if status not in _OUTCOME:
        raise unprocessable("INVALID_OUTCOME")
    if dispute.body["status"] in _OUTCOME and (dispute.body["status"], status) != ("lost", "won"):
        raise unprocessable("DISPUTE_ALREADY_RESOLVED")
    dispute.hidden["outcome"] = _OUTCOME[status]
    taken = -sum(each["amount"] for each in dispute.body["balance_transactions"] if each["reason"] != _FEE)
    if status != "lost":
        # Whoever ends it, buyer or PayPal: what was taken comes back, and of an inquiry nothing was.
        status = "won" if taken else "warning_closed"
    dispute.body["status"] = status
    if status == "lost" and not taken:
        # Decided for the buyer before it was a chargeback: the money goes now.
        _take(call, dispute)
    elif status != "lost" and taken:
        _move(call, dispute, taken)
    call.tx.save(dispute)
    events.happen(call, "CUSTOMER.DISPUTE.RESOLVED", KIND, shown(dispute))
    return shown(dispute)


def _take(call: Call, dispute: Stored) -> None:
    """The amount goes, and PayPal's fee for the trouble, where it is set to ask for one: it is never given back."""
    _move(call, dispute, -dispute.body["amount"])
    if call.config.dispute_fee:
        _move(call, dispute, -call.config.dispute_fee, reason=_FEE)


def _move(call: Call, dispute: Stored, amount: int, *, reason: str = "DISPUTE_SETTLEMENT") -> None:
    moved = {
        "id": new_id(),
        "object": "balance_transaction",
        "created": call.now,
        "source": dispute.body["charge"],
        "amount": amount,
        "currency": dispute.body["currency"],
        "status": "succeeded",
        "code": "T0106" if reason == _FEE else "T1201" if amount < 0 else "T1202",
    }
    call.tx.add(call.account, moved)
    dispute.body["balance_transactions"].append(
        {"amount": amount, "currency": moved["currency"], "created": call.now, "reason": reason}
    )
    call.tx.save(dispute)


def the(call: Call, id: str) -> Stored:
    """The account's dispute of that id."""
    found = call.tx.get(call.account, KIND, id)
    if found is None:
        raise missing("dispute")
    return found


def retrieve(call: Call) -> Json:
    """A dispute."""
    return shown(the(call, call.args["id"]))


def list_(call: Call) -> Json:
    """Those opened since `start_time`, without their transactions."""
    require_feature(call)
    rows = call.tx.select("kind = 'dispute' and account = ?", (call.account,), order="seq")
    since = call.given("start_time", "")
    if second(since) < call.now - _LISTED_S:
        raise invalid("INVALID_REQUEST", "start_time is of the last 180 days.")
    size, start = int(call.given("page_size", "10")), int(call.given("next_page_token", "0"))
    if not 1 <= size <= _MOST:
        raise invalid("INVALID_REQUEST", f"A page is of at most {_MOST}.")
    names = ("dispute_id", "create_time", "status", "reason", "dispute_amount", "dispute_life_cycle_stage")
    told = [shown(each) for each in rows if instant(each.body["created"]) >= since]
    page: Json = {"items": [{name: each[name] for name in names} for each in told[start : start + size]]}
    more = {"next_page_token": str(start + size)} if len(told) > start + size else None
    return page | {"links": links(call, "/v1/customer/disputes", more)}


def shown(dispute: Stored) -> Json:
    """As PayPal shows it, buyer included."""
    body = dispute.body
    told: Json = {
        "dispute_id": dispute.id,
        "create_time": instant(body["created"]),
        "disputed_transactions": [
            {"seller_transaction_id": body["charge"], "buyer": {"name": "Pat Payer", "email": "payer@example.com"}}
        ],
        "reason": "UNAUTHORISED",
        "status": _STATUS[body["status"]],
        "dispute_amount": money(body["amount"], body["currency"]),
        "dispute_life_cycle_stage": dispute.hidden["stage"],
        "seller_response_due_date": instant(body["created"] + _DUE_S),
        "fund_movements": [
            {
                "party": "SELLER",
                "amount": money(abs(each["amount"]), each["currency"]),
                "initiated_time": instant(each["created"]),
                "type": "DEBIT" if each["amount"] < 0 else "CREDIT",
                "reason": each["reason"],
            }
            for each in body["balance_transactions"]
        ],
    }
    if body["status"] in _OUTCOME:
        told["dispute_outcome"] = {"outcome_code": dispute.hidden["outcome"]}
    return told
