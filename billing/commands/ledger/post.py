"""Post one entry: at least two sides that sum to zero, in one currency."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.kernel.ids import new_id
from billing.models import Account, LedgerEntry, Posting
from billing.queries.books.dating import datings


def post(
    session: Session,
    *,
    kind: str,
    seller_id: UUID,
    profile_id: UUID | None,
    currency: str,
    sides: Sequence[tuple[Account, int]],
    now: datetime,
    invoice_id: UUID | None = None,
    payment_id: UUID | None = None,
    charge_ref: str | None = None,
    booked_on: date | None = None,
) -> UUID:
    """Write an entry of (account, minor units): debit positive, credit negative; the database proves the sum.

    `booked_on`: its accounting date, if not the day of `now` in the seller's zone. Returns the entry's id.
    """
    entry = LedgerEntry(
        id=new_id(),
        seller_id=seller_id,
        kind=kind,
        effective_at=now,
        booked_on=booked_on or datings(session, [seller_id])[seller_id].day(now),
        profile_id=profile_id,
        invoice_id=invoice_id,
        payment_id=payment_id,
        charge_ref=charge_ref,
    )
    session.add(entry)
    session.flush()
    session.add_all(
        Posting(
            entry_id=entry.id,
            position=position,
            seller_id=seller_id,
            account=account,
            currency=currency,
            amount_minor=amount,
        )
        for position, (account, amount) in enumerate(sides, start=1)
    )
    return entry.id
