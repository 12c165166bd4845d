"""Accrual: at the end of a month, usage that waits for its invoice is revenue of that month, for one night."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import select

from billing.commands.accrual.accrue import accrue_usage
from billing.commands.accrual.accrue_lines import accrue_lines
from billing.flows.in_turn import each_in_turn
from billing.flows.parts import Parts
from billing.flows.recognition import recognise_due
from billing.kernel.period import zone_info
from billing.models import Seller

_BATCH = 500


def accrue_due(parts: Parts, *, seller_id: UUID | None = None) -> int:
    """Accrue the month before the running one, of one seller or of all. Returns for how many sellers that was done.

    Idempotent; a batch of subscriptions is a transaction. A month that was missed is left out: what waited in it is
    invoiced. A fault of one seller keeps no other from their turn; it is raised in the end.
    """
    with parts.begin() as session:
        now = parts.clock.now(session)
        sellers = session.scalars(select(Seller).where(Seller.id == seller_id) if seller_id else select(Seller)).all()
    due = [(each, this) for each in sellers if (each.usage_accrued_to or date.min) < (this := _running(each, now))]
    each_in_turn(
        (partial(_accrue, parts, seller, this) for seller, this in due), failed="a month of some sellers is not accrued"
    )
    return len(due)


def _running(seller: Seller, now: datetime) -> date:
    return now.astimezone(zone_info(seller.timezone)).date().replace(day=1)


def _accrue(parts: Parts, seller: Seller, this: date) -> None:
    month = (this - timedelta(days=1)).replace(day=1)
    end = datetime.combine(this, time(), zone_info(seller.timezone))
    closed = seller.books_open_from is not None and seller.books_open_from > month
    if not closed:
        # A credit takes what is deferred of its line: of what the month has earned, that is nothing.
        recognise_due(parts, seller_id=seller.id)
    for accrue in () if closed else (accrue_usage, accrue_lines):
        after: UUID | None = UUID(int=0)
        while after is not None:
            with parts.begin() as session:
                after = accrue(session, seller_id=seller.id, month=month, end=end, after=after, most=_BATCH)
    with parts.begin() as session:
        row = session.get_one(Seller, seller.id, with_for_update={"key_share": True})
        row.usage_accrued_to = max(row.usage_accrued_to or this, this)
