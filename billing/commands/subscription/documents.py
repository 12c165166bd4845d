"""Documents of a subscription: the lines that it owes, framed and discounted. Pure; others number and write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from billing.commands.invoice.compose import Frame, Wallet, compose, discountable, discounted
from billing.commands.invoice.planned import PlannedInvoice, PlannedLine
from billing.commands.subscription.lines import taxed, usage_line, waited
from billing.commands.subscription.terms import window_of
from billing.kernel.status import SubscriptionStatus
from billing.queries.standing import CouponTerms, Item, Standing
from billing.queries.usage import UsageWindow
from billing.rules.discount import CouponDuration, Discount, still_applies
from billing.rules.walk import Span


def waiting_lines(standing: Standing, row: Any) -> list[PlannedLine]:
    """The lines that wait for the subscription's next document, taxed as its sales are now; credits bring their own."""
    seller, profile = standing.sellers[row.seller_id], standing.profiles[row.profile_id]
    return [
        waited(line, None if line.tax_percent is not None else taxed(seller, profile, standing.prices[line.price_id]))
        for line in standing.waiting.get(row.id, ())
    ]


def metered_lines(
    standing: Standing, row: Any, items: Iterable[Item], closes: Span, *, usage: Mapping[UsageWindow, Decimal]
) -> list[PlannedLine]:
    """What was used in a period that is over, in item order, nothing included."""
    seller, profile = standing.sellers[row.seller_id], standing.profiles[row.profile_id]
    return [
        usage_line(item, closes, usage[window_of(row.id, item, closes)], taxed(seller, profile, item.price))
        for item in items
        if item.price.usage is not None
    ]


def frame_of(standing: Standing, row: Any, parties: bytes, *, span: Span | None, charged: bool = True) -> Frame:
    """What a document of this subscription says beside its lines. An `unpaid` one is issued and not charged."""
    return Frame(
        seller=standing.sellers[row.seller_id],
        profile=standing.profiles[row.profile_id],
        parties=parties,
        currency=row.currency,
        subscription_id=row.id,
        span=span,
        collection=row.collection,
        days_until_due=row.days_until_due,
        charged=charged and row.status != SubscriptionStatus.UNPAID,
    )


def write_document(
    standing: Standing, row: Any, frame: Frame, lines: list[PlannedLine], *, coupon_used: int, wallet: Wallet
) -> tuple[PlannedInvoice, int]:
    """Compose with the subscription's coupon, where it still applies; and how often that has been used now."""
    coupon = standing.coupons.get(row.coupon_id) if row.coupon_id else None
    if coupon is not None and _applies(coupon, coupon_used) and discountable(lines):
        coupon_used += 1
        lines = discounted(lines, Discount(coupon.percent, coupon.amount_minor))
    return compose(frame, lines, wallet=wallet), coupon_used


def _applies(coupon: CouponTerms, used: int) -> bool:
    return still_applies(CouponDuration(coupon.duration), periods=coupon.periods, used=used)
