"""Paying a balance out: credit becomes refunds of what the customer paid, sent by a worker under keys of their own."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.refund.pay_out import reserve_payout
from billing.db.clock import wall_now
from billing.flows.order import Done, Order, carry_out, note
from billing.flows.parts import Parts
from billing.flows.restoring import require_all_known
from billing.kernel.errors import Fault, Refused
from billing.kernel.failpoints import failpoint
from billing.kernel.money import format_minor
from billing.models import Profile
from billing.queries.profile import lock_profile
from billing.queue.buffer import after_commit
from billing.queue.names import REFUNDS_SEND
from billing.validators.amount import require_amount


def pay_out(
    parts: Parts,
    session: Session,
    profile_id: UUID,
    *,
    currency: str,
    amount_minor: int | None = None,
    exact: bool = False,
) -> int:
    """Reserve it within the caller's transaction, and have it sent after commit. Returns the amount. Not idempotent.

    What a provider can't send, for its steps, stays in the balance; `exact`: then it is refused. Raises `Refused`:
    `out_of_range` (the amount), `profile_not_found`, `credit_exceeded`, `refund_exceeds_paid`,
    `amount_not_representable`, `not_reconciled`.
    """
    require_amount(amount_minor)
    require_all_known(session)
    lock_profile(session, profile_id)
    amount, ids = reserve_payout(
        session,
        profile=session.get_one(Profile, profile_id),
        currency=currency,
        amount_minor=amount_minor,
        exact=exact,
        step_of=lambda account_id: parts.provider(account_id).step_minor(currency),
        now=parts.clock.now(session),
        wall=wall_now(session),
    )
    for id_ in ids:
        after_commit(session, REFUNDS_SEND, id_)
    failpoint("payout.reserved")
    return amount


def order_payout(parts: Parts, profile_id: UUID, *, currency: str, amount_minor: int | None, order: Order) -> Done:
    """As `pay_out`, by an operator's order, written down."""
    with carry_out(parts, order) as session:
        named = amount_minor is not None
        amount = pay_out(parts, session, profile_id, currency=currency, amount_minor=amount_minor, exact=named)
        if not amount:
            raise Refused(
                Fault("amount", "amount_not_representable", "it is less than what the provider moves at once")
            )
        profile = session.get_one(Profile, profile_id)
        note(
            parts,
            session,
            order,
            action="profile.pay_out",
            subject_type="profile",
            subject_id=profile.id,
            seller_id=profile.seller_id,
            before={},
            after={"amount_minor": amount, "currency": currency},
        )
        account = profile.account_id
    return Done(profile_id, account, changed=True, told=f"{format_minor(amount, currency)} go back from the balance")
