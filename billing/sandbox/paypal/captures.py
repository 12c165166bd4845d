"""Captures and their refunds."""

from __future__ import annotations

from billing.sandbox.paypal import events
from billing.sandbox.paypal.errors import invalid, missing, unprocessable
from billing.sandbox.paypal.values import instant, money, new_id, read_money
from billing.sandbox.paypal.wallets import Wallet
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.tx import Stored
from billing.sandbox.stripe.values import Json

CHARGE, REFUND = "charge", "refund"
CHARGE_TYPE = "capture"
_TOLD = {"succeeded": "COMPLETED", "pending": "PENDING", "failed": "DECLINED"}
_SAID = ("invoice_id", "note_to_payer")
_NAMES = ("custom_id", *_SAID)
_REFUND = {"amount", *_NAMES}
_REFUNDED_S = 180 * 86_400
FEE_PER_MILLE, FEE_FIXED = 30, 35
"""PayPal's share of a capture: so many thousandths, and so many minor units."""


def try_(call: Call, order: Stored, wallet: Wallet) -> None:
    """Move the money, or fail to."""
    status = "succeeded"
    if wallet.issue or wallet.response_code:
        status = "failed"
    elif wallet.behaviour.startswith("pending"):
        status = "pending"
    capture = call.tx.add(
        call.account,
        {
            "id": new_id(),
            "object": CHARGE,
            "created": call.now,
            "customer": order.body["customer"],
            "payment_intent": order.id,
            "amount": order.body["amount"],
            "currency": order.body["currency"],
            "status": status,
            "amount_refunded": 0,
            "disputed": False,
            "failure_code": None if status != "failed" else "declined",
            "outcome": {"reason": (wallet.issue or wallet.response_code or "").lower()} if status == "failed" else None,
        },
        {
            "key": call.key,
            "response_code": wallet.response_code,
            "advice": wallet.advice,
            "refused": bool(wallet.issue),
            "held": wallet.held,
        },
    )
    # An order that was there before goes on waiting where a wallet is refused; one that was asked for with it is none.
    if wallet.issue is None or not order.hidden.get("waits_for_capture"):
        order.body["status"] = {"succeeded": "succeeded", "pending": "processing", "failed": "canceled"}[status]
        order.hidden["refused"] = wallet.issue is not None
    call.tx.save(order)
    if status == "pending":
        what = "fail" if wallet.behaviour == "pending_fails" else "succeed"
        due = (call.now + call.config.processing_s, call.account, what, capture.id)
        call.tx.sql("insert into timers (due, account, what, id) values (?,?,?,?)", due)
    if wallet.issue is None:
        events.happen(call, f"PAYMENT.CAPTURE.{_TOLD[status]}", CHARGE_TYPE, shown(call, capture))


def retrieve(call: Call) -> Json:
    """A capture."""
    return shown(call, the(call, call.args["id"]))


def the(call: Call, id: str) -> Stored:
    """The account's capture of that id."""
    found = call.tx.get(call.account, CHARGE, id)
    if found is None:
        raise missing("capture")
    return found


def shown(call: Call, capture: Stored) -> Json:
    """As PayPal shows it."""
    body, hidden = capture.body, capture.hidden
    order = _order_of(call, capture)
    told: Json = {
        "id": capture.id,
        "status": _status(body),
        "amount": money(body["amount"], body["currency"]),
        "final_capture": True,
        "custom_id": order.body["metadata"]["payment_id"],
        "invoice_id": order.body["metadata"]["invoice_id"],
        "supplementary_data": {"related_ids": {"order_id": order.id}},
        "create_time": instant(body["created"]),
    }
    if body["status"] == "pending":
        told["status_details"] = {"reason": hidden["held"]}
    if body["status"] == "failed":
        told["processor_response"] = {"response_code": hidden["response_code"], "payment_advice_code": hidden["advice"]}
    if body["status"] == "succeeded":
        fee = fee_of(body["amount"])
        told["seller_receivable_breakdown"] = {
            "gross_amount": money(body["amount"], body["currency"]),
            "paypal_fee": money(fee, body["currency"]),
            "net_amount": money(body["amount"] - fee, body["currency"]),
        }
    return told


def _order_of(call: Call, capture: Stored) -> Stored:
    order = call.tx.get(capture.account, "payment_intent", capture.body["payment_intent"])
    assert order is not None
    return order


def reverse(call: Call, id: str) -> Json:
    """PayPal takes it back by itself, as where the payer's bank does: no refund of the seller's, and no dispute."""
    capture = the(call, id)
    if capture.body["status"] != "succeeded" or capture.body["amount_refunded"]:
        raise unprocessable("CAPTURE_STATUS_NOT_VALID")
    moved = {
        "id": new_id(),
        "object": "balance_transaction",
        "created": call.now,
        "source": capture.id,
        "amount": -capture.body["amount"],
        "currency": capture.body["currency"],
        "status": "succeeded",
        "code": "T1106",
    }
    call.tx.add(call.account, moved)
    events.happen(call, "PAYMENT.CAPTURE.REVERSED", REFUND, {"id": moved["id"], "status": "COMPLETED"})
    return {"id": moved["id"]}


def fee_of(amount: int) -> int:
    """What PayPal keeps, in minor units; never more than the amount."""
    return min(amount, amount * FEE_PER_MILLE // 1000 + FEE_FIXED)


def _status(body: Json) -> str:
    if body["status"] == "succeeded" and body["amount_refunded"]:
        return "REFUNDED" if body["amount_refunded"] == body["amount"] else "PARTIALLY_REFUNDED"
    return {"succeeded": "COMPLETED", "pending": "PENDING", "failed": "DECLINED"}[body["status"]]


def refund(call: Call) -> Json:
    """Give part of a capture back, or all that is left."""
    if set(call.params) - _REFUND or not all(isinstance(call.given(name, ""), str) for name in _NAMES):
        raise invalid("INVALID_PARAMETER_SYNTAX", f"A refund has an amount, and as texts {', '.join(_NAMES)}.")
    capture = the(call, call.args["id"])
    left = capture.body["amount"] - capture.body["amount_refunded"]
    amount, currency = left, capture.body["currency"]
    if "amount" in call.params:
        amount, currency = read_money(call.params["amount"], limits=call.config.limits)
    if capture.body["status"] != "succeeded" or not left:
        raise unprocessable("CAPTURE_FULLY_REFUNDED" if not left else "CAPTURE_STATUS_NOT_VALID")
    if currency != capture.body["currency"]:
        raise unprocessable("REFUND_CURRENCY_MISMATCH")
    if amount > left:
        raise unprocessable("REFUND_AMOUNT_EXCEEDED")
    if call.now - capture.body["created"] > _REFUNDED_S:
        raise unprocessable("REFUND_TIME_LIMIT_EXCEEDED")
    pending = call.config.refunds_pending
    made = call.tx.add(
        call.account,
        {
            "id": new_id(),
            "object": REFUND,
            "created": call.now,
            "charge": capture.id,
            "payment_intent": capture.body["payment_intent"],
            "amount": amount,
            "currency": currency,
            "status": "pending" if pending else "succeeded",
            # Without one of its own it has the order's, as in PayPal's events and reports.
            "metadata": {"refund_id": call.given("custom_id", _order_of(call, capture).body["metadata"]["payment_id"])},
        },
        {name: call.params[name] for name in _SAID if name in call.params},
    )
    capture.body["amount_refunded"] += amount
    call.tx.save(capture)
    told = refund_shown(made)
    events.happen(call, "PAYMENT.REFUND.PENDING" if pending else "PAYMENT.CAPTURE.REFUNDED", REFUND, told)
    return told


def retrieve_refund(call: Call) -> Json:
    """A refund."""
    return latest_refund(call, call.args["id"])


def latest_refund(call: Call, id: str) -> Json:
    """As it is now."""
    found = call.tx.get(call.account, REFUND, id)
    if found is None:
        raise missing("refund")
    return refund_shown(found)


def refund_shown(made: Stored) -> Json:
    """As PayPal shows it."""
    status = {"succeeded": "COMPLETED", "pending": "PENDING", "failed": "FAILED"}[made.body["status"]]
    return {
        "id": made.id,
        "status": status,
        "amount": money(made.body["amount"], made.body["currency"]),
        "custom_id": made.body["metadata"]["refund_id"],
        **{name: made.hidden[name] for name in _SAID if name in made.hidden},
        "create_time": instant(made.body["created"]),
        "links": [
            {"rel": "self", "method": "GET", "href": f"https://sandbox/v2/payments/refunds/{made.id}"},
            {"rel": "up", "method": "GET", "href": f"https://sandbox/v2/payments/captures/{made.body['charge']}"},
        ],
    }
