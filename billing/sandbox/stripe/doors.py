"""The sandbox's own doors, under `/_sandbox/`: make things happen that a test account could only wait for."""

from __future__ import annotations

import re
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
from billing.sandbox.stripe.errors import invalid, missing
from billing.sandbox.stripe.standin import Call, StandIn
from billing.sandbox.stripe.values import Json
from billing.sandbox.stripe.wishes import object_of, one_of, text, truth, whole

_LAST4 = re.compile("[0-9]{4}", re.ASCII)

Door = Callable[[StandIn, str, Any], Any]
"""Takes the stand-in, the id of the path (or ""), and the query (GET) or the JSON body."""


def set_clock(stand_in: StandIn, _: str, wish: Any) -> Json:
    """`{"now": "2026-01-31T09:00:00Z"}` stops the clock at that instant; null lets it run with the wall again."""
    if not isinstance(wish, dict) or set(wish) != {"now"}:
        raise invalid('The clock is set with {"now": an ISO 8601 instant or null}.', param="now")
    try:
        stand_in.clock.set(None if wish["now"] is None else parse_instant(text(wish, "now"), field="now"))
    except Refused as error:
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
    charge, amount, currency = text(wish, "charge"), whole(wish, "amount", least=1), text(wish, "currency") or None
    reason, inquiry = text(wish, "reason") or "fraudulent", truth(wish, "inquiry", default=False)
    prevented = one_of(wish, "prevented", *disputes.PREVENTIONS) if wish.get("prevented") is not None else None

    def act(call: Call) -> Json:
        return disputes.open_(
            call, charge, amount=amount, reason=reason, inquiry=inquiry, currency=currency, prevented=prevented
        )

    return act_on(stand_in, "charge", charge, act)


def close_dispute(stand_in: StandIn, id: str, wish: Any) -> Json:
    """`{"status": "won" | "lost" | "warning_closed"}`."""
    status = one_of(object_of(wish), "status", "won", "lost", "warning_closed")
    return act_on(stand_in, "dispute", id, lambda call: disputes.close(call, id, status))


def pay_out(stand_in: StandIn, _: str, wish: Any) -> list[Json]:
    """Pay out every account's balance. `{"reconciliation_status"?}`: `completed`, `in_progress` or `not_applicable`."""
    wish = {"reconciliation_status": "completed", **object_of(wish)}
    status = one_of(wish, "reconciliation_status", "completed", "in_progress", "not_applicable")
    made: list[Json] = []
    with stand_in.store.transaction() as tx:
        for account in sorted({each.account for each in tx.walk("balance_transaction")}):
            made += payouts.create(Call(stand_in, tx, account, stand_in.clock.now()), reconciliation_status=status)
    stand_in.wake.set()
    return made


def tell_payout(stand_in: StandIn, id: str, wish: Any) -> Json:
    """`{"status": "paid" | "failed" | "reconciled"}`."""
    status = one_of(object_of(wish), "status", "paid", "failed", "reconciled")
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
    charge, fraud_type = text(object_of(wish), "charge"), text(wish, "fraud_type") or "made_with_lost_card"
    return act_on(stand_in, "charge", charge, lambda call: warnings.warn(call, charge, fraud_type=fraud_type))


def renew_card(stand_in: StandIn, id: str, wish: Any) -> Json:
    """`{"exp_year"?, "exp_month"?, "last4"?}`, at least one: the bank has given the provider new data of the card."""
    year, month = whole(object_of(wish), "exp_year", least=2000, most=9999), whole(wish, "exp_month", least=1, most=12)
    last4, unknown = text(wish, "last4"), set(wish) - {"exp_year", "exp_month", "last4"}
    if unknown:
        raise invalid(f"A card has no {min(unknown)} that is renewed.", param=min(unknown))
    if last4 and not _LAST4.fullmatch(last4):
        raise invalid("last4 is four digits.", param="last4")
    card = {name: value for name, value in (("exp_year", year), ("exp_month", month), ("last4", last4)) if value}
    if not card:
        raise invalid("Name exp_year, exp_month or last4.", param="exp_year")
    return act_on(stand_in, "payment_method", id, lambda call: banks.renew(call, id, card))


def end_mandate(stand_in: StandIn, _: str, wish: Any) -> Json:
    """`{"payment_method"}`: the leave to charge it ends."""
    method = text(object_of(wish), "payment_method")
    return act_on(stand_in, "payment_method", method, lambda call: banks.end_mandate(call, method))


def tell_refund(stand_in: StandIn, id: str, wish: Any) -> Json:
    """`{"status": "succeeded" | "failed"}`."""
    status = one_of(object_of(wish), "status", "succeeded", "failed")
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


def _succeeded(wish: Any) -> bool:
    return truth(object_of(wish), "succeeded", default=True)
