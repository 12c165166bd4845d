"""Night: what an accrual books on a month's last day, and takes back on the first of the next."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.ledger.post import post
from billing.models import Account

_TICK = timedelta(microseconds=1)
_ONE_BY_ONE = text("SELECT pg_advisory_xact_lock(hashtext('billing.usage.accrue'), hashtext(:seller))")


class Night(NamedTuple):
    """A month's first day, and the instant at which it ended where the seller is."""

    month: date
    end: datetime

    @property
    def first_after(self) -> date:
        """The first day of the next month."""
        return (self.month + timedelta(days=31)).replace(day=1)

    @property
    def last_day(self) -> date:
        """The month's last day."""
        return self.first_after - timedelta(days=1)


def one_by_one(session: Session, seller_id: UUID) -> None:
    """Wait for who accrues for this seller: who comes second finds what the first has done, and goes on behind it."""
    session.execute(_ONE_BY_ONE, {"seller": str(seller_id)})


def book(session: Session, night: Night, *, of: str, seller_id: UUID, currency: str, amount_minor: int) -> list[UUID]:
    """Dr unbilled receivable, Cr revenue before midnight, and back after it (below 0 the other way round).

    Returns the ids of the two entries, `<of>_accrual` and `<of>_reversal`.
    """
    entries = (
        (f"{of}_accrual", amount_minor, night.end - _TICK, night.last_day),
        (f"{of}_reversal", -amount_minor, night.end, night.first_after),
    )
    return [
        post(
            session,
            kind=kind,
            seller_id=seller_id,
            profile_id=None,
            currency=currency,
            sides=((Account.UNBILLED_RECEIVABLE, signed), (Account.REVENUE, -signed)),
            now=at,
            booked_on=on,
        )
        for kind, signed, at, on in entries
    ]
