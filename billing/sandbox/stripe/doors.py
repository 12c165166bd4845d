"""The sandbox's own doors, under `/_sandbox/`: make things happen that a test account could only wait for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from billing.kernel.clock import parse_instant
from billing.kernel.errors import Refused
from billing.sandbox.stripe import (
    authenticating,
    banks,
    browser,
    charges,
    disputes,
    events,
    payouts,
    refunds,
    settling,
    warnings,
    witness,
)
from billing.sandbox.stripe.errors import invalid, missing, refused
from billing.sandbox.stripe.standin import Call, StandIn
from billing.sandbox.stripe.values import Json

Door = Callable[[StandIn, str, Any], Any]
"""Takes the stand-in, the id of the path (or ""), and the query (GET) or the JSON body."""


def set_clock(stand_in: StandIn, _: str, wish: Any) -> Json:
    """`{"now": "2026-01-31T09:00:00Z"}` stops the clock at that instant; null lets it run with the wall again."""
    if not isinstance(wish, dict) or set(wish) - {"now"}:
        raise invalid('The clock is set with {"now": an ISO 8601 instant or null}.', param="now")
    try:
        stand_in.clock.set(parse_instant(wish["now"], field="now") if wish.get("now") else None)
    except (Refused, TypeError) as error:
        raise invalid(str(error), param="now") from error
    stand_in.wake.set()
    return witness.clock(stand_in, "", {})


def add_faults(stand_in: StandIn, _: str, wish: Any) -> list[Json]:
    """Switch on further faults: a JSON list."""
    stand_in.faults.add(wish)
    return stand_in.faults.shown()


def clear_faults(stand_in: StandIn, _: str, __: Any) -> list[Json]:
    """Switch all faults off."""
    stand_in.faults.clear()
    return []


def configure(stand_in: StandIn, _: str, wish: Any) -> Json:
    """Turn some knobs: a JSON object."""
    return stand_in.configure(object_of(wish)).shown()


def resend(stand_in: StandIn, id: str, _: Any) -> Json:
    """Deliver an event once more."""
    with stand_in.store.transaction() as tx:
        count = events.resend(tx, id)
    stand_in.wake.set()
    return {"id": id, "deliveries": count}


def open_dispute(stand_in: StandIn, _: str, wish: Any) -> Json:
    """`{"charge", "amount"?, "currency"?, "reason"?, "inquiry"?, "prevented"?}`; by default all of the charge.

    `prevented`: `block` or `resolution`.
    """
    wish = object_of(wish)
    charge, amount = wish.get("charge", ""), wish.get("amount")
    reason, inquiry = wish.get("reason", "fraudulent"), wish.get("inquiry", False) is True

    def act(call: Call) -> Json:
        return disputes.open_(
            call,
            charge,
            amount=amount,
            reason=reason,
            inquiry=inquiry,
            currency=wish.get("currency"),
            prevented=wish.get("prevented"),
        )

    return act_on(stand_in, "charge", charge, act)


def close_dispute(stand_in: StandIn, id: str, wish: Any) -> Json:
    """`{"status": "won" | "lost" | "warning_closed"}`."""
    status = object_of(wish).get("status", "")
    return act_on(stand_in, "dispute", id, lambda call: disputes.close(call, id, status))


def pay_out(stand_in: StandIn, _: str, wish: Any) -> list[Json]:
    """Pay out every account's balance. `{"reconciliation_status"?}`: `completed`, `in_progress` or `not_applicable`."""
    status = object_of(wish).get("reconciliation_status", "completed")
    if status not in ("completed", "in_progress", "not_applicable"):
        raise refused("A payout is completed, in_progress or not_applicable.", param="reconciliation_status")
    made: list[Json] = []
    with stand_in.store.transaction() as tx:
        for account in sorted({each.account for each in tx.walk("balance_transaction")}):
            made += payouts.create(Call(stand_in, tx, account, stand_in.clock.now()), reconciliation_status=status)
    stand_in.wake.set()
    return made


def tell_payout(stand_in: StandIn, id: str, wish: Any) -> Json:
    """`{"status": "paid" | "failed" | "reconciled"}`."""
    status = object_of(wish).get("status", "")
    return act_on(stand_in, "payout", id, lambda call: payouts.tell(call, id, status))


def escalate_dispute(stand_in: StandIn, id: str, _: Any) -> Json:
    """An inquiry becomes a chargeback."""
    return act_on(stand_in, "dispute", id, lambda call: disputes.escalate(call, id))


def reject_dispute(stand_in: StandIn, id: str, _: Any) -> Json:
    """The bank does not accept the evidence: it may be appealed."""
    return act_on(stand_in, "dispute", id, lambda call: disputes.reject(call, id))


def reverse_charge(stand_in: StandIn, id: str, _: Any) -> Json:
    """A banking partner takes its money back, without a dispute."""
    return act_on(stand_in, "charge", id, lambda call: charges.reverse(call, id))


def warn(stand_in: StandIn, _: str, wish: Any) -> Json:
    """`{"charge", "fraud_type"?}`: an early fraud warning."""
    charge, fraud_type = object_of(wish).get("charge", ""), wish.get("fraud_type", "made_with_lost_card")
    return act_on(stand_in, "charge", charge, lambda call: warnings.warn(call, charge, fraud_type=fraud_type))


def renew_card(stand_in: StandIn, id: str, wish: Any) -> Json:
    """`{"exp_year", "exp_month"?, "last4"?}`: the bank has given the provider new data of the card."""
    card = object_of(wish)
    return act_on(stand_in, "payment_method", id, lambda call: banks.renew(call, id, card))


def end_mandate(stand_in: StandIn, _: str, wish: Any) -> Json:
    """`{"payment_method"}`: the leave to charge it ends."""
    method = object_of(wish).get("payment_method", "")
    return act_on(stand_in, "payment_method", method, lambda call: banks.end_mandate(call, method))


def tell_refund(stand_in: StandIn, id: str, wish: Any) -> Json:
    """`{"status": "succeeded" | "failed"}`."""
    status = object_of(wish).get("status", "")
    return act_on(stand_in, "refund", id, lambda call: refunds.tell(call, id, status))


def settle(stand_in: StandIn, id: str, wish: Any) -> Json:
    """`{"succeeded": true | false}` ends a payment that is processing."""
    succeeded = _succeeded(wish)
    return act_on(stand_in, "payment_intent", id, lambda call: settling.tell(call, id, succeeded=succeeded))


def authenticate_payment(stand_in: StandIn, id: str, wish: Any) -> Json:
    """`{"succeeded": true | false}`: the customer's part of a payment that requires action."""
    succeeded = _succeeded(wish)
    return act_on(
        stand_in,
        "payment_intent",
        id,
        lambda call: authenticating.authenticate_payment(call, id, succeeded=succeeded),
    )


def authenticate_setup(stand_in: StandIn, id: str, wish: Any) -> Json:
    """`{"succeeded": true | false}`: the customer's part of a set-up that requires action."""
    succeeded = _succeeded(wish)
    return act_on(
        stand_in, "setup_intent", id, lambda call: authenticating.authenticate_setup(call, id, succeeded=succeeded)
    )


DOORS: dict[tuple[str, str], Door] = {
    ("GET", "charges"): witness.charges,
    ("GET", "intents"): witness.intents,
    ("GET", "refunds"): witness.refunds,
    ("GET", "disputes"): witness.disputes,
    ("GET", "requests"): witness.requests,
    ("GET", "events"): witness.events,
    ("GET", "state"): witness.state,
    ("GET", "clock"): witness.clock,
    ("POST", "clock"): set_clock,
    ("GET", "faults"): witness.faults,
    ("POST", "faults"): add_faults,
    ("DELETE", "faults"): clear_faults,
    ("GET", "config"): witness.config,
    ("POST", "config"): configure,
    ("POST", "events/<id>/resend"): resend,
    ("POST", "charges/<id>/reverse"): reverse_charge,
    ("POST", "disputes"): open_dispute,
    ("POST", "payouts"): pay_out,
    ("POST", "payouts/<id>"): tell_payout,
    ("POST", "disputes/<id>/close"): close_dispute,
    ("POST", "disputes/<id>/escalate"): escalate_dispute,
    ("POST", "disputes/<id>/reject"): reject_dispute,
    ("POST", "early_fraud_warnings"): warn,
    ("POST", "payment_methods/<id>/renew"): renew_card,
    ("POST", "mandates"): end_mandate,
    ("POST", "refunds/<id>"): tell_refund,
    ("POST", "js/read"): browser.read,
    ("POST", "js/confirm_setup"): browser.confirm_setup,
    ("POST", "js/confirm_paypal_setup"): browser.confirm_paypal_setup,
    ("POST", "js/authenticate"): browser.authenticate,
    ("POST", "payment_intents/<id>/settle"): settle,
    ("POST", "payment_intents/<id>/authenticate"): authenticate_payment,
    ("POST", "setup_intents/<id>/authenticate"): authenticate_setup,
}


def act_on(stand_in: StandIn, kind: str, id: str, act: Callable[[Call], Json]) -> Json:
    """Act on an object of whatever account, in one transaction, as something that happens by itself."""
    with stand_in.store.transaction() as tx:
        found = tx.any(kind, id)
        if found is None:
            raise missing(kind, id)
        result = act(Call(stand_in, tx, found.account, stand_in.clock.now()))
    stand_in.wake.set()
    return result


def object_of(wish: Any) -> Json:
    """What was sent, if it is a JSON object."""
    if not isinstance(wish, dict):
        raise invalid("This takes a JSON object.")
    return wish


def _succeeded(wish: Any) -> bool:
    return object_of(wish).get("succeeded", True) is True
