"""What happens by itself, later, or on an order of the sandbox: captures and refunds that were pending end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from billing.sandbox.paypal import captures, events
from billing.sandbox.stripe.standin import Call


def end_capture(call: Call, id: str, *, succeeded: bool) -> None:
    """A pending capture completes or is denied."""
    capture = captures.the(call, id)
    if capture.body["status"] != "pending":
        return
    capture.body["status"] = "succeeded" if succeeded else "failed"
    if not succeeded:
        capture.body["failure_code"], capture.hidden["response_code"] = "declined", "5100"
    call.tx.save(capture)
    order = call.tx.get(call.account, "payment_intent", capture.body["payment_intent"])
    assert order is not None
    order.body["status"] = "succeeded" if succeeded else "canceled"
    call.tx.save(order)
    type_ = "PAYMENT.CAPTURE.COMPLETED" if succeeded else "PAYMENT.CAPTURE.DENIED"
    events.happen(call, type_, "capture", captures.shown(call, capture))


def end_refund(call: Call, id: str, *, succeeded: bool) -> None:
    """A pending refund completes or fails: the money stays ours."""
    refund = call.tx.get(call.account, captures.REFUND, id)
    if refund is None or refund.body["status"] != "pending":
        return
    refund.body["status"] = "succeeded" if succeeded else "failed"
    call.tx.save(refund)
    if not succeeded:
        capture = captures.the(call, refund.body["charge"])
        capture.body["amount_refunded"] -= refund.body["amount"]
        call.tx.save(capture)
    type_ = "PAYMENT.CAPTURE.REFUNDED" if succeeded else "PAYMENT.REFUND.FAILED"
    events.happen(call, type_, "refund", captures.refund_shown(refund))


TIMERS: dict[str, Callable[[Call, str], None]] = {
    "succeed": partial(end_capture, succeeded=True),
    "fail": partial(end_capture, succeeded=False),
}
"""By what is written in the timer's row."""
