"""Keeping the books: what finance people order about a seller's ledger."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from billing.commands.ledger.close import close_month, hold_books, require_over
from billing.commands.revenue.recognise import recognise
from billing.commands.seller.map_account import map_account
from billing.flows.accrual import accrue_due
from billing.flows.order import Done, Order, carry_out, note
from billing.flows.parts import Parts
from billing.flows.recognition import BATCH, recognise_due
from billing.models import Seller


def name_account(parts: Parts, seller_id: UUID, *, account: str, code: str | None, order: Order) -> Done:
    """Set or forget an account's number in the seller's own chart. Raises as `map_account` does."""
    with carry_out(parts, order) as session:
        before, after = map_account(session, seller_id=seller_id, account=account, code=code)
        if before != after:
            note(
                parts,
                session,
                order,
                action="seller.map_account",
                subject_type="seller",
                subject_id=seller_id,
                seller_id=seller_id,
                before={account: before},
                after={account: after},
            )
        of = session.get_one(Seller, seller_id).code
    told = f"is {after} in the books of {of}" if after else f"has no number of its own in the books of {of}"
    return Done(seller_id, account, changed=before != after, told=told)


def close(parts: Parts, seller_id: UUID, *, month: date, order: Order) -> Done:
    """Accrue what waits, recognise what it earned, then close the month (its first day). A closed one stays as it is.

    Raises as `close_month` does.
    """
    with parts.begin() as session:
        # Before anything is booked; what else stands against it is seen below.
        seller = session.get(Seller, seller_id)
        if seller is not None:
            require_over(seller, month, now=parts.clock.now(session))
    if not order.dry_run:
        accrue_due(parts, seller_id=seller_id)
        recognise_due(parts, seller_id=seller_id)
    name = f"{month:%Y-%m}"
    with carry_out(parts, order) as session:
        now = parts.clock.now(session)
        if order.dry_run:
            hold_books(session, seller_id=seller_id)
        # A dry run recognises within its own transaction, so that it is taken back with the rest.
        while order.dry_run and recognise(session, now=now, most=BATCH, seller_id=seller_id):
            pass
        closed = close_month(session, seller_id=seller_id, month=month, actor=order.actor, reason=order.reason, now=now)
        of = session.get_one(Seller, seller_id).code
        if closed is None:
            return Done(seller_id, name, changed=False, told=f"is closed already for {of}")
        note(
            parts,
            session,
            order,
            action="ledger.close",
            subject_type="seller",
            subject_id=seller_id,
            seller_id=seller_id,
            before={},
            after={"month": name},
        )
    if order.dry_run:
        return Done(seller_id, name, changed=True, told=f"would be closed for {of}")
    return Done(seller_id, name, changed=True, told=f"is closed for {of}; what comes later is dated in the open month")
