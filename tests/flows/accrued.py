"""What tests of accruals share: time that passes over the ends of months, and what each month came to."""

from __future__ import annotations

from collections.abc import Container
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select, text

from billing.commands.subscription.change import Proration
from billing.flows import accrual, changing
from billing.models import LineAccrual
from billing.validators.subscription import NewItem
from tests.flows.company import Company


def months(acme: Company, account: str = "revenue") -> dict[str, int]:
    """What a seller's account moved by, month by month, turned so that revenue is positive."""
    query = """
        SELECT to_char(e.booked_on, 'YYYY-MM') AS month, -sum(p.amount_minor)::bigint AS amount
        FROM billing.posting p JOIN billing.ledger_entry e ON e.id = p.entry_id
        WHERE p.account = :account AND p.seller_id = :seller GROUP BY 1 HAVING sum(p.amount_minor) <> 0 ORDER BY 1"""
    with acme.begin() as session:
        found = session.execute(text(query), {"account": account, "seller": acme.seller_id})
        return {row.month: row.amount for row in found}


def accruals(acme: Company) -> list[tuple[date, int]]:
    with acme.begin() as session:
        rows = session.scalars(select(LineAccrual).order_by(LineAccrual.month, LineAccrual.line_id))
        return [(row.month, row.amount_minor) for row in rows]


def change(
    acme: Company, id_: UUID, quantity: int, *, price: str = "basic", proration: Proration = Proration.PRORATE
) -> None:
    with acme.parts.begin() as session:
        changing.change(acme.parts, session, id_, items=(NewItem(price, quantity),), proration=proration)


MONTHS = range(1, 13)


def pass_to(acme: Company, now: datetime, *, looks: Container[int] = MONTHS) -> None:
    """Time passes, with a look on each 11th; in the first minutes of a month it is accrued, and all else comes then.

    `looks`: the months with that look. What is due in another comes after its accrual, as where the worker is late.
    """
    while (stop := _stop(acme.now(), looks)) <= now:
        acme.set_clock(stop)
        accrual.accrue_due(acme.parts)
        acme.settle()
    acme.set_clock(now)
    acme.settle()


def _stop(now: datetime, looks: Container[int]) -> datetime:
    first = now.replace(day=1, hour=0, minute=5)
    look, then = first + timedelta(days=10), (first + timedelta(days=32)).replace(day=1)
    return look if look > now and now.month in looks else then
