"""What an operator orders about one customer's money: give credit, charge once, give up what is carried forward."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.credit.grant import grant_credit
from billing.commands.credit.write_off import write_off_carried_forward
from billing.db.base import Json
from billing.flows.charging import charge_once
from billing.flows.order import Done, Order, carry_out, note
from billing.flows.parts import Parts
from billing.kernel.money import format_minor
from billing.models import Invoice, Profile
from billing.queries.paying_out import balance_of
from billing.queries.profile import lock_profile


def grant(
    parts: Parts, profile_id: UUID, *, amount_minor: int, currency: str, order: Order, prepaid: bool = False
) -> Done:
    """Put credit into the balance, given or `prepaid`. Not idempotent. Raises as `commands.credit.grant` does."""
    with carry_out(parts, order) as session:
        lock_profile(session, profile_id)
        before = balance_of(session, profile_id, currency)
        grant_credit(
            session,
            profile_id=profile_id,
            amount_minor=amount_minor,
            currency=currency,
            now=parts.clock.now(session),
            prepaid=prepaid,
        )
        after = balance_of(session, profile_id, currency)
        account = _noted(
            parts,
            session,
            order,
            profile_id,
            action="credit",
            before={"currency": currency, "balance_minor": before},
            after={"currency": currency, "balance_minor": after, "prepaid": prepaid},
        )
    told = f"{format_minor(amount_minor, currency)} of credit; the balance is {format_minor(after, currency)}"
    return Done(profile_id, account, changed=True, told=told)


def charge(
    parts: Parts,
    profile_id: UUID,
    *,
    amount_minor: int,
    currency: str,
    description: str,
    tax_rate: str | None,
    order: Order,
) -> Done:
    """Issue an invoice of one line, collected like any other, and hand its id over. Not idempotent.

    Raises as `flows.charging.charge_once` does.
    """
    with carry_out(parts, order) as session:
        issued = charge_once(
            parts,
            session,
            profile_id,
            amount_minor=amount_minor,
            currency=currency,
            description=description,
            tax_rate=tax_rate,
        )
        order.wrote[:] = [issued.id]
        invoice = session.get_one(Invoice, issued.id, populate_existing=True)
        total, due = invoice.total_minor, invoice.amount_due_minor
        after = {"invoice": issued.number, "currency": currency, "total_minor": total, "amount_due_minor": due}
        account = _noted(parts, session, order, profile_id, action="charge", before={}, after=after)
    told = f"invoice {issued.number} of {format_minor(total, currency)}; {format_minor(due, currency)} are due"
    return Done(profile_id, account, changed=True, told=told)


def write_off(parts: Parts, profile_id: UUID, *, order: Order) -> Done:
    """Give up what is carried forward, in every currency: no invoice of theirs is going to ask for it. Idempotent."""
    with carry_out(parts, order) as session:
        lock_profile(session, profile_id)
        given_up = write_off_carried_forward(session, profile_id=profile_id, now=parts.clock.now(session))
        if not given_up:
            account = session.get_one(Profile, profile_id).account_id
            return Done(profile_id, account, changed=False, told="nothing is carried forward")
        before: Json = {"carried_forward": dict(given_up)}
        after: Json = {"carried_forward": {}}
        account = _noted(parts, session, order, profile_id, action="write_off", before=before, after=after)
    told = ", ".join(format_minor(amount, currency) for currency, amount in given_up.items())
    return Done(profile_id, account, changed=True, told=f"{told} are not asked for any more")


def _noted(
    parts: Parts,
    session: Session,
    order: Order,
    profile_id: UUID,
    *,
    action: str,
    before: Json,
    after: Json,
) -> str:
    """Write it down; return the account that the profile is shown by."""
    profile = session.get_one(Profile, profile_id)
    note(
        parts,
        session,
        order,
        action=f"profile.{action}",
        subject_type="profile",
        subject_id=profile.id,
        seller_id=profile.seller_id,
        before=before,
        after=after,
    )
    return profile.account_id
