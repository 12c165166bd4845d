"""What a coupon must be: a percent or an amount, and on how many invoices."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from billing.kernel.money import MOST_AMOUNT
from billing.validators.checks import Checks

DURATIONS = ("once", "repeating", "forever")


@dataclass(frozen=True, slots=True)
class NewCoupon:
    """A discount: `percent` (over 0, up to 100) or `amount_minor`. `currency` None: an amount of any currency.

    `periods` is given with the duration `repeating`: so many invoices with a positive base.
    """

    code: str
    percent: Decimal | None = None
    amount_minor: int | None = None
    currency: str | None = None
    duration: str = "once"
    periods: int | None = None


def check_new_coupon(new: NewCoupon) -> None:
    """Raise `Refused` with every fault of `new`."""
    checks = Checks()
    checks.code("code", new.code)
    if (new.percent is None) == (new.amount_minor is None):
        checks.fault("percent", "percent_or_amount", "give percent or amount, one of the two")
    if new.percent is not None:
        _check_percent(checks, new.percent)
    if new.amount_minor is not None:
        checks.whole("amount", new.amount_minor, least=1, most=MOST_AMOUNT)
    if new.currency is not None:
        checks.currency("currency", new.currency)
    checks.one_of("duration", new.duration, DURATIONS)
    if (new.duration == "repeating") != (new.periods is not None):
        checks.fault("periods", "periods_by_duration", "give periods with the duration repeating, and only then")
    elif new.periods is not None:
        checks.whole("periods", new.periods, least=1, most=10_000)
    checks.done()


def _check_percent(checks: Checks, percent: Decimal) -> None:
    if percent.is_finite() and (percent == 0 or percent > 100):
        checks.fault("percent", "percent_range", "give a percent over 0, up to 100")
    elif not percent.is_finite() or percent != 100:
        checks.percent("percent", percent)
