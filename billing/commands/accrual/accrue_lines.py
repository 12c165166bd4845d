"""Accrue lines: what is over at a month's end of the time of those that wait is its revenue, for one night."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.accrual.estimate import coupon_share, treatment_at, without_tax
from billing.commands.accrual.night import Night, book, one_by_one
from billing.db.bulk import insert_rows
from billing.kernel.ids import new_ids
from billing.kernel.period import zone_info
from billing.models import LineAccrual, Seller
from billing.queries.accruing_lines import untold
from billing.queries.standing import PriceInUse, prices_in_use
from billing.rules.earned import earned
from billing.rules.tax import carried


def accrue_lines(
    session: Session, *, seller_id: UUID, month: date, end: datetime, after: UUID, most: int
) -> UUID | None:
    """Accrue the next `most` subscriptions, from after an id on, for a month that ended at `end`.

    Revenue by then is what it would be, had each line been issued when its time began. Returns the last id, None where
    none is left. For each currency there is one entry for what charges and one for what gives back, and one that takes
    each back. Idempotent: a subscription's lines are accrued once for a month.
    """
    one_by_one(session, seller_id)
    night = Night(month, end)
    found = untold(
        session, seller_id=seller_id, month=month, first_after=night.first_after, end=end, after=after, most=most
    )
    if found is None:
        return None
    amounts = _amounts(session, session.get_one(Seller, seller_id), found.lines, night.last_day)
    totals: dict[tuple[str, bool], int] = defaultdict(int)
    for line in found.lines:
        amount = amounts[line.id]
        totals[found.currencies[line.subscription_id], amount > 0] += amount
    entries = {
        (currency, charges): book(
            session, night, of="line", seller_id=seller_id, currency=currency, amount_minor=amount
        )
        for (currency, charges), amount in totals.items()
        if amount
    }
    rows = []
    for id_, line in zip(new_ids(len(found.lines)), found.lines, strict=True):
        amount, currency = amounts[line.id], found.currencies[line.subscription_id]
        entry_id, reversal_id = entries[currency, amount > 0] if amount else (None, None)
        rows.append(
            {
                "id": id_,
                "seller_id": seller_id,
                "subscription_id": line.subscription_id,
                "line_id": line.id,
                "month": month,
                "currency": currency,
                "amount_minor": amount,
                "entry_id": entry_id,
                "reversal_id": reversal_id,
            }
        )
    insert_rows(session, LineAccrual, rows)
    return max(found.currencies)


def _amounts(session: Session, seller: Seller, lines: Sequence[Any], last_day: date) -> dict[UUID, int]:
    """By line. A credit takes what is still deferred of its line first, and only the rest from revenue; what it leaves
    deferred is earned, for the line ends with it (DECISIONS 31)."""
    prices = prices_in_use(session, {line.price_id for line in lines if line.price_id is not None})
    nets = {line.id: _net(seller, line, prices.get(line.price_id)) for line in lines}
    amounts = {
        line.id: nets[line.id] if line.noted else _charged(line, nets[line.id], last_day, seller.timezone)
        for line in lines
        if line.credits_line_id is None
    }
    for line in lines:
        if line.credits_line_id is not None:
            of = line.credits_line_id
            deferred = nets[of] - amounts[of] if of in amounts else _deferred(line, last_day)
            amounts[line.id] = nets[line.id] + deferred
    return amounts


def _charged(line: Any, net_minor: int, last_day: date, zone: str) -> int:
    """What recognition would have booked by then."""
    info = zone_info(zone)
    starts, ends = (at.astimezone(info).date() for at in (line.period_start, line.period_end))
    return earned(total_minor=net_minor, base_on=starts, ends_on=ends, through=last_day)


def _deferred(credit: Any, last_day: date) -> int:
    """What the books hold deferred of the line that is credited, once all of the month is recognised; 0 of none."""
    if credit.deferred_minor is None:
        return 0
    left: int = credit.deferred_minor
    if credit.due:
        left += credit.recognised_minor - earned(
            total_minor=credit.total_minor,
            base_on=credit.base_on,
            base_minor=credit.base_minor,
            ends_on=credit.ends_on,
            through=last_day,
        )
    return left


def _net(seller: Seller, line: Any, price: PriceInUse | None) -> int:
    """Without the tax inside, and without the coupon's percent where the line still waits for its document.

    An amount that a coupon takes off is shared over a whole document, which is not known yet.
    """
    if line.net_minor is not None:
        return int(line.net_minor)
    amount = line.amount_minor - (coupon_share(line, line.amount_minor) if line.in_base else 0)
    if line.tax_percent is not None:
        return without_tax(amount, carried(line.tax_percent, line.tax_inclusive, line.tax_code))
    return amount if price is None else without_tax(amount, treatment_at(line.period_start, seller, line, price))
