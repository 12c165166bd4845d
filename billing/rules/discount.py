"""Discount: what a coupon takes off a document, line by line, and how long it applies. Minor units.

Source: the scenario contract, rule 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from billing.kernel.money import divide_half_away, share


class CouponDuration(StrEnum):
    """How many documents with a positive base it lowers: one, `periods` of them, or all."""

    ONCE = "once"
    REPEATING = "repeating"
    FOREVER = "forever"


@dataclass(frozen=True, slots=True)
class Discount:
    """A percent of the base, or an amount of at most the base. Raises `ValueError` unless it is one of the two."""

    percent: Decimal | None = None
    amount_minor: int | None = None

    def __post_init__(self) -> None:
        if (self.percent is None) == (self.amount_minor is None):
            raise ValueError("a discount is a percent or an amount")


def base_of(lines: Sequence[tuple[int, bool]]) -> int:
    """The sum of the lines of the base, 0 where it is negative. A document counts for a coupon where it is positive.

    A line is (amount, whether it belongs to the base): all do but proration credits for lines already issued. Credits
    for lines that still wait belong to it, with their negative amount.
    """
    return max(0, sum(amount_minor for amount_minor, in_base in lines if in_base))


def discount_shares(discount: Discount, lines: Sequence[tuple[int, bool]]) -> list[int]:
    """Each line's share, 0 outside the base; a credit in the base has a negative share. `lines` as of `base_of`.

    A percent is rounded once, half away from zero, over the base; the sum is shared in proportion by largest remainder,
    of equal ones to the later line. A base of 0 or less has no discount.
    """
    base_minor = base_of(lines)
    taken = iter(share(_taken(discount, base_minor), [amount_minor for amount_minor, in_base in lines if in_base]))
    return [next(taken) if in_base else 0 for _, in_base in lines]


def still_applies(duration: CouponDuration, *, periods: int | None, used: int) -> bool:
    """Whether a coupon lowers the next document with a positive base, after `used` such documents."""
    if duration is CouponDuration.FOREVER:
        return True
    most = 1 if duration is CouponDuration.ONCE else periods
    assert most is not None, "a repeating coupon says how often"
    return used < most


def _taken(discount: Discount, base_minor: int) -> int:
    if discount.amount_minor is not None:
        return min(discount.amount_minor, base_minor)
    assert discount.percent is not None
    numerator, denominator = discount.percent.as_integer_ratio()
    return divide_half_away(base_minor * numerator, denominator * 100)
