"""Accrue: usage that waits for its invoice at a month's end is revenue of that month, for one night."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.accrual.estimate import coupon_share, treatment_at, without_tax
from billing.commands.accrual.night import Night, book, one_by_one
from billing.db.bulk import insert_rows
from billing.kernel.ids import new_ids
from billing.kernel.money import round_half_away
from billing.models import Seller, UsageAccrual
from billing.queries.accruing import Sum, Unbilled, unbilled
from billing.queries.standing import PriceInUse, prices_in_use
from billing.queries.usage import UsageWindow, usage_quantities
from billing.rules.lines import exact_amount


def accrue_usage(
    session: Session, *, seller_id: UUID, month: date, end: datetime, after: UUID, most: int
) -> UUID | None:
    """Accrue the next `most` subscriptions, from after an id on, for a month that ended at `end`.

    Returns the last id, None where none is left. One entry, and one that takes it back, stand for all of a currency.
    Idempotent: a subscription has one accrual of a month. Without tax, and without what a coupon's percent takes off:
    it is an estimate for a night.
    """
    one_by_one(session, seller_id)
    found = unbilled(session, seller_id=seller_id, month=month, end=end, after=after, most=most)
    if found is None:
        return None
    sums = _sums(session, session.get_one(Seller, seller_id), found, end)
    totals: dict[str, int] = defaultdict(int)
    for (subscription, _), made in sums.items():
        totals[found.whose[subscription].currency] += made.amount_minor
    entries = {
        currency: book(
            session, Night(month, end), of="usage", seller_id=seller_id, currency=currency, amount_minor=amount
        )
        for currency, amount in totals.items()
        if amount
    }
    rows = [
        {
            "id": id_,
            "seller_id": seller_id,
            "subscription_id": subscription,
            "price_id": price,
            "month": month,
            "currency": (currency := found.whose[subscription].currency),
            "quantity": made.quantity,
            "amount_minor": made.amount_minor,
            "entry_id": entries.get(currency, (None, None))[0],
            "reversal_id": entries.get(currency, (None, None))[1],
        }
        for id_, ((subscription, price), made) in zip(new_ids(len(sums)), sums.items(), strict=True)
    ]
    insert_rows(session, UsageAccrual, rows)
    return max(found.whose)


def _sums(session: Session, seller: Seller, found: Unbilled, end: datetime) -> dict[tuple[UUID, UUID], Sum]:
    """By subscription and price, by the quantity so far: priced where it waits, a part of what was told since."""
    windows = [*found.windows, *(_until(line, end) for line in found.issued)]
    used = usage_quantities(session, windows)
    prices = prices_in_use(session, {window.price_id for window in windows})
    sums: dict[tuple[UUID, UUID], Sum] = defaultdict(Sum)
    for window in dict.fromkeys(found.windows):
        quantity = used[window].quantity
        made = sums[window.subscription_id, window.price_id]
        made.quantity += quantity
        made.amount_minor += _net(
            seller, found.whose[window.subscription_id], window, prices[window.price_id], quantity
        )
    for line in found.issued:
        made = sums[line.subscription_id, line.price_id]
        if line.period_end <= end:
            made.quantity += line.quantity
            made.amount_minor += line.net_minor
            continue
        quantity = used[_until(line, end)].quantity
        made.quantity += quantity
        made.amount_minor += round_half_away(line.net_minor * _part(prices[line.price_id], quantity, line.quantity))
    return sums


def _until(line: Any, end: datetime) -> UsageWindow:
    return UsageWindow(line.subscription_id, line.price_id, line.kind, line.period_start, min(line.period_end, end))


def _part(price: PriceInUse, so_far: Decimal, told: Decimal) -> Fraction:
    """What the quantity so far costs of what the one that was told does, which may be more in tiers of volume."""
    whole = exact_amount(price.terms, told)
    return exact_amount(price.terms, so_far) / whole if whole else Fraction(0)


def _net(seller: Seller, whose: Any, window: UsageWindow, price: PriceInUse, quantity: Decimal) -> int:
    amount = round_half_away(exact_amount(price.terms, quantity))
    how = treatment_at(window.end - timedelta.resolution, seller, whose, price)
    return without_tax(amount - coupon_share(whose, amount), how)
