"""Pay a balance out: credit in store goes back to charges that the customer paid, newest first (DECISIONS 31)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.credit.move import move_balances
from billing.commands.ledger.post import post
from billing.commands.refund.reserve import StepOf, new_refund
from billing.kernel.errors import Fault, Refused
from billing.kernel.money import format_minor, whole_steps
from billing.models import Account, Profile
from billing.queries.paying_out import balance_of, charges_of


def reserve_payout(
    session: Session,
    *,
    profile: Profile,
    currency: str,
    amount_minor: int | None,
    exact: bool,
    step_of: StepOf,
    now: datetime,
    wall: datetime,
) -> tuple[int, list[UUID]]:
    """Take `amount_minor` (None: all) from the balance and write refunds for it. Returns the amount and their ids.

    What a provider can't send, because it moves this currency in larger steps, stays in the balance; `exact`: then it
    is refused. Dr customer credit, Cr refunds in flight. The caller holds the profile. Raises `Refused`:
    `credit_exceeded`, `refund_exceeds_paid` (the customer's charges don't hold that much), `amount_not_representable`.
    """
    balance = balance_of(session, profile.id, currency)
    amount = balance if amount_minor is None else amount_minor
    if amount < 1 or amount > balance:
        raise Refused(Fault("amount", "credit_exceeded", f"the balance holds {format_minor(balance, currency)}"))
    ids, left, invoice_id = [], amount, None
    charges = charges_of(session, profile.id, currency)
    for payment in charges:
        part = whole_steps(min(left, payment.left_minor), step_of(payment.provider_account_id))
        if part > 0:
            refund = new_refund(payment, profile=profile, currency=currency, amount_minor=part, now=now, wall=wall)
            session.add(refund)
            ids.append(refund.id)
            invoice_id = invoice_id or payment.invoice_id
            left -= part
    if sum(payment.left_minor for payment in charges) < amount:
        held = format_minor(amount - left, currency)
        mend = f"charges that can still be refunded hold {held}; send the rest another way"
        raise Refused(Fault("amount", "refund_exceeds_paid", mend))
    if left and exact:
        mend = f"the provider moves this currency in larger steps; {format_minor(amount - left, currency)} can go back"
        raise Refused(Fault("amount", "amount_not_representable", mend))
    amount -= left
    if not amount:
        return 0, []
    move_balances(session, {(profile.seller_id, profile.id, currency): -amount})
    post(
        session,
        kind="credit_payout",
        seller_id=profile.seller_id,
        profile_id=profile.id,
        invoice_id=invoice_id,
        currency=currency,
        sides=((Account.CUSTOMER_CREDIT, amount), (Account.REFUNDS_IN_FLIGHT, -amount)),
        now=now,
    )
    session.flush()
    return amount, ids
