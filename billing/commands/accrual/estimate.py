"""Estimate: what the document that is to come will take off for a coupon and for the tax inside, as far as is known."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from typing import Any

from billing.kernel.errors import Refused
from billing.kernel.money import round_half_away
from billing.models import Seller
from billing.queries.standing import PriceInUse
from billing.rules.discount import CouponDuration, still_applies
from billing.rules.tax import TaxTreatment, in_force, tax_of, treatment


def coupon_share(whose: Any, amount_minor: int) -> int:
    """What the percent of the subscription's coupon takes off, in minor units: 0 where it counts no more.

    `whose` has `off_percent`, `off_duration`, `off_periods` and `coupon_used`. An amount that a coupon takes off is
    shared over a whole document, which is not known yet.
    """
    if whose.off_percent is None:
        return 0
    if not still_applies(CouponDuration(whose.off_duration), periods=whose.off_periods, used=whose.coupon_used):
        return 0
    return round_half_away(Fraction(whose.off_percent) * amount_minor / 100)


def treatment_at(at: datetime, seller: Seller, whose: Any, price: PriceInUse) -> TaxTreatment | None:
    """That of a sale to this customer at a moment; the one at home where the rate names none for abroad.

    `whose` has the customer's `country` and `has_tax_id`.
    """
    rate = in_force(price.rate, at, seller.timezone)
    try:
        return treatment(seller.country, whose.country, whose.has_tax_id, rate, seller.oss)
    except Refused:
        return treatment(seller.country, seller.country, False, rate)


def without_tax(amount_minor: int, how: TaxTreatment | None) -> int:
    """Less the tax inside, if it is."""
    return amount_minor - tax_of(amount_minor, how) if how is not None and how.inclusive else amount_minor
