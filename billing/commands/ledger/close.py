"""Close a month of a seller's books: nothing is dated in it any more, and what it came to is kept."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.db.base import JsonList
from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_id
from billing.kernel.period import zone_info
from billing.models import MonthClose, Seller
from billing.models.triggers import BOOKS_LOCK
from billing.queries.books.trial_balance import trial_balances

_LOCK = text("SELECT pg_advisory_xact_lock(:lock, hashtext(CAST(:seller AS text)))")
_DUE = text(
    "SELECT count(*) FROM billing.revenue_schedule WHERE seller_id = :seller AND next_at <= :now AND next_on < :until"
)


def month_after(month: date) -> date:
    """The first day of the month after a day's."""
    return (month.replace(day=1) + timedelta(days=31)).replace(day=1)


def hold_books(session: Session, *, seller_id: UUID) -> None:
    """Wait for who writes entries of this seller, and let later ones wait until the transaction ends.

    Taken before anything that a writer of entries may wait for: they lock their lines first.
    """
    session.execute(_LOCK, {"lock": BOOKS_LOCK, "seller": str(seller_id)})


def require_over(seller: Seller, month: date, *, now: datetime) -> None:
    """Raise `Refused` (`month_not_over`) while a day of it is still to come, where the seller is."""
    after = month_after(month)
    if now.astimezone(zone_info(seller.timezone)).date() < after:
        raise Refused(Fault("month", "month_not_over", f"close it from {after.isoformat()} on ({seller.timezone})"))


def close_month(
    session: Session, *, seller_id: UUID, month: date, actor: str, reason: str, now: datetime
) -> MonthClose | None:
    """Close a month (its first day) and what lies before it; None where it is closed already.

    Waits for transactions that are writing entries of this seller, and lets later ones wait for it. A month is never
    opened again. Raises `Refused`: `seller_not_found`, `month_not_over`, `revenue_due`.
    """
    hold_books(session, seller_id=seller_id)
    seller = session.get(Seller, seller_id, with_for_update={"key_share": True}, populate_existing=True)
    if seller is None:
        raise Refused(Fault("seller", "seller_not_found", "give the code of a seller"))
    after = month_after(month)
    if seller.books_open_from is not None and seller.books_open_from >= after:
        return None
    require_over(seller, month, now=now)
    due = session.execute(_DUE, {"seller": seller_id, "now": now, "until": after}).scalar_one()
    if due:
        raise Refused(Fault("month", "revenue_due", f"{due} lines wait for their revenue in it; try again in a minute"))
    open_from, seller.books_open_from = seller.books_open_from, after
    closed = MonthClose(
        id=new_id(),
        seller_id=seller_id,
        month=month,
        closed_at=now,
        actor=actor,
        reason=reason,
        balances=_balances(session, seller_id, since=open_from, last=after - timedelta(days=1)),
    )
    session.add(closed)
    session.flush()
    return closed


def _balances(session: Session, seller_id: UUID, *, since: date | None, last: date) -> JsonList:
    # From the close before on: whoever writes entries waits for this.
    return [
        {"currency": each.currency, "account": account.account, "balance_minor": account.balance_minor}
        for each in trial_balances(session, as_of=last, since=since, seller_id=seller_id)
        for account in each.accounts
        if account.balance_minor
    ]
