"""The sandbox's own doors, under `/_sandbox/`: the witness, the clock, faults and knobs, and what only time brings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from billing.sandbox.paypal import captures, disputes, settling, tokens
from billing.sandbox.paypal.errors import PayPalError
from billing.sandbox.paypal.signing import root
from billing.sandbox.paypal.wallets import WALLETS
from billing.sandbox.stripe import doors, witness
from billing.sandbox.stripe.doors import Door, act_on
from billing.sandbox.stripe.errors import ApiError
from billing.sandbox.stripe.standin import Call, StandIn
from billing.sandbox.stripe.values import Json
from billing.sandbox.stripe.wishes import object_of, one_of, text, truth, whole


def open_dispute(stand_in: StandIn, _: str, wish: Any) -> Json:
    """`{"charge", "amount"?, "inquiry"?}`; by default all of the capture."""
    charge, amount = text(object_of(wish), "charge"), whole(wish, "amount", least=1)
    inquiry = truth(wish, "inquiry", default=False)
    return _for(stand_in, "charge", charge, lambda call: disputes.open_(call, charge, amount=amount, inquiry=inquiry))


def close_dispute(stand_in: StandIn, id: str, wish: Any) -> Json:
    """`{"status": "won" | "lost" | "warning_closed"}`."""
    status = one_of(object_of(wish), "status", "won", "lost", "warning_closed")
    return _for(stand_in, "dispute", id, lambda call: disputes.close(call, id, status))


def escalate_dispute(stand_in: StandIn, id: str, _: Any) -> Json:
    """An inquiry becomes a chargeback."""
    return _for(stand_in, "dispute", id, lambda call: disputes.escalate(call, id))


def reverse_capture(stand_in: StandIn, id: str, _: Any) -> Json:
    """PayPal takes the capture back by itself."""
    return _for(stand_in, "charge", id, lambda call: captures.reverse(call, id))


def tell_refund(stand_in: StandIn, id: str, wish: Any) -> Json:
    """`{"status": "succeeded" | "failed"}`."""
    succeeded = one_of(object_of(wish), "status", "succeeded", "failed") == "succeeded"

    def act(call: Call) -> Json:
        settling.end_refund(call, id, succeeded=succeeded)
        return {"id": id}

    return _for(stand_in, "refund", id, act)


def approve(stand_in: StandIn, id: str, wish: Any) -> Json:
    """`{"wallet"?}`: the payer agrees to a setup token; tells where the browser is sent back to."""
    wallet = one_of({"wallet": "B-SANDBOX-GOOD", **object_of(wish)}, "wallet", *WALLETS)
    return _for(stand_in, tokens.SETUP, id, lambda call: {"return_url": tokens.approve(call, id, wallet)})


def trust_root(stand_in: StandIn, _: str, __: Any) -> Json:
    """Whom a verifier of this stand-in's webhooks has to trust."""
    return {"pem": root(stand_in)}


def _for(stand_in: StandIn, kind: str, id: str, act: Callable[[Call], Json]) -> Json:
    """As `act_on`; what PayPal would say is said in the words of the sandbox's own doors."""
    try:
        return act_on(stand_in, kind, id, act)
    except PayPalError as error:
        raise ApiError(error.status, str(error)) from error


DOORS: dict[tuple[str, str], Door] = {
    ("GET", "charges"): witness.charges,
    ("GET", "intents"): witness.intents,
    ("GET", "refunds"): witness.refunds,
    ("GET", "disputes"): witness.disputes,
    ("GET", "requests"): witness.requests,
    ("GET", "events"): witness.events,
    ("GET", "state"): witness.state,
    ("GET", "clock"): witness.clock,
    ("POST", "clock"): doors.set_clock,
    ("GET", "faults"): witness.faults,
    ("POST", "faults"): doors.add_faults,
    ("DELETE", "faults"): doors.clear_faults,
    ("GET", "config"): witness.config,
    ("POST", "config"): doors.configure,
    ("POST", "events/<id>/resend"): doors.resend,
    ("POST", "disputes"): open_dispute,
    ("POST", "disputes/<id>/close"): close_dispute,
    ("POST", "disputes/<id>/escalate"): escalate_dispute,
    ("POST", "captures/<id>/reverse"): reverse_capture,
    ("POST", "refunds/<id>"): tell_refund,
    ("POST", "setup-tokens/<id>/approve"): approve,
    ("GET", "root"): trust_root,
}
