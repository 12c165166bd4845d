"""What chance does at the provider: debits that come or don't, disputes, refunds that fail, faults, payouts."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from billing.flows import disputing, movements, on_session, reconciliation
from billing.models import Dispute, PaymentMethod
from tests.flows.life import ORDER, Act, Life

FAULTS = (
    {"kind": "error_500_before"}, {"kind": "error_500_after"}, {"kind": "disconnect_after"}, {"kind": "lock_timeout"},
    {"kind": "rate_limit", "retry_after_s": 0},
)  # fmt: skip
PATHS = ("/v1/payment_intents", "/v1/refunds", "/v1/")
DELIVERIES = ("webhook_duplicate", "webhook_reorder", "webhook_drop")


def settle_debit(life: Life) -> None:
    """The bank tells of a debit."""
    going = [each for each in life.acme.witness.intents() if each.status == "processing"]
    if going:
        ref, came = life.chance.choice(going).intent_ref, life.chance.random() < 0.7
        life.acme.witness.call("POST", f"payment_intents/{ref}/settle", {"succeeded": came})


def settle_refund(life: Life) -> None:
    """The bank tells of a refund, also of one that it had taken."""
    going = [each for each in life.acme.witness.refunds() if each.status == "pending"]
    if going:
        ref, came = life.chance.choice(going).refund_ref, life.chance.choice(["succeeded", "failed"])
        life.acme.witness.call("POST", f"refunds/{ref}", {"status": came})


def dispute(life: Life) -> None:
    """A bank takes a payment back, asks about one, or decides about one that it took; also the other way, later."""
    chance, witness = life.chance, life.acme.witness
    with life.acme.begin() as session:
        known = session.execute(select(Dispute.dispute_ref, Dispute.status, Dispute.id).order_by(Dispute.id)).all()
    going = [each.dispute_ref for each in known if each.status == "needs_response"]
    asked = [each.dispute_ref for each in known if each.status.startswith("warning_needs")]
    lost = [each for each in known if each.status == "lost"]
    if lost and chance.random() < 0.4:
        way = chance.choice([disputing.write_off_loss, disputing.credit_loss])
        way(life.acme.parts, chance.choice(lost).id, order=ORDER)
    elif lost and chance.random() < 0.2:
        witness.call("POST", f"disputes/{chance.choice(lost).dispute_ref}/close", {"status": "won"})
    elif going and chance.random() < 0.6:
        witness.call("POST", f"disputes/{chance.choice(going)}/close", {"status": chance.choice(["won", "lost"])})
    elif asked and chance.random() < 0.6:
        if chance.random() < 0.5:
            witness.call("POST", f"disputes/{chance.choice(asked)}/escalate", {})
        else:
            witness.call("POST", f"disputes/{chance.choice(asked)}/close", {"status": "warning_closed"})
    else:
        _open_dispute(life)


def _open_dispute(life: Life) -> None:
    taken = {each.charge_ref for each in life.acme.witness.disputes()}
    charges = [each for each in life.acme.witness.charges() if each.status == "succeeded"]
    charges = [each for each in charges if each.charge_ref not in taken]
    if charges:
        charge = life.chance.choice(charges)
        wish: dict[str, object] = {"charge": charge.charge_ref}
        if life.chance.random() < 0.5:
            # Amounts of the doors are in the provider's own steps.
            wish["amount"] = max(1, charge.amount_minor // 2) // 10 * 10 or 10
            if life.chance.random() < 0.3:
                wish["currency"] = life.chance.choice([each for each in ("usd", "eur") if each != charge.currency])
        if life.chance.random() < 0.3:
            wish["inquiry"] = True
        life.acme.witness.call("POST", "disputes", wish)


def trouble(life: Life) -> None:
    """The next requests or deliveries meet a fault; then it is over."""
    if life.chance.random() < 0.5:
        fault = {**life.chance.choice(FAULTS), "next": life.chance.randint(1, 3), "path": life.chance.choice(PATHS)}
    else:
        fault = {"kind": life.chance.choice(DELIVERIES), "next": life.chance.randint(1, 4)}
    life.acme.witness.add_faults(fault)


def pay(life: Life) -> None:
    """A customer pays on their page; a bank that wants to see them first is shown, or not."""
    tried = on_session.pay(life.acme.parts, profile_id=life.chance.choice(life.profiles))
    asked = [each for each in life.acme.witness.intents() if each.status == "requires_action"]
    for each in asked:
        succeeded = life.chance.random() < 0.6
        life.acme.witness.call("POST", f"payment_intents/{each.intent_ref}/authenticate", {"succeeded": succeeded})
    if asked and life.chance.random() < 0.5:
        on_session.look(life.acme.parts, profile_id=life.chance.choice(life.profiles), payment_id=tried.payment_id)


def read_balance(life: Life) -> None:
    """The provider pays out, and its balance is read."""
    if life.chance.random() < 0.5:
        life.acme.witness.call("POST", "payouts", {})
    movements.sweep(life.acme.parts)


def warn(life: Life) -> None:
    """A bank warns of a fraud, or has given a customer a new card."""
    charges = [each.charge_ref for each in life.acme.witness.charges() if each.status == "succeeded"]
    if charges:
        life.acme.witness.call("POST", "early_fraud_warnings", {"charge": life.chance.choice(charges)})


def turn_card(life: Life) -> None:
    """A customer takes back their leave to charge a method, or a bank has given a card another date."""
    with life.acme.begin() as session:
        query = select(PaymentMethod.method_ref).where(PaymentMethod.provider_account_id.in_(life.stripes))
        known = list(session.scalars(query.order_by(PaymentMethod.id)))
    if not known:
        return
    ref = life.chance.choice(known)
    if life.chance.random() < 0.6:
        life.acme.witness.call("POST", "mandates", {"payment_method": ref})
    else:
        year = life.acme.now().year + life.chance.choice([-1, 3])
        life.acme.witness.call("POST", f"payment_methods/{ref}/renew", {"exp_year": year})


def reconcile(life: Life) -> None:
    reconciliation.reconcile(life.acme.parts)


ACTS: Mapping[Act, int] = {
    settle_debit: 3, settle_refund: 1, dispute: 3, trouble: 2, pay: 2, read_balance: 1, reconcile: 1, warn: 1,
    turn_card: 2,
}  # fmt: skip
