"""Earned: what of a line is revenue up to and with a day, in equal parts a day (docs/decisions/0006). Minor units.

`billing.commands.revenue.recognise` says the same in SQL, for many lines at once.
"""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

from billing.kernel.money import round_half_away

_ONE = timedelta(days=1)


def earned(*, total_minor: int, base_on: date, ends_on: date, through: date, base_minor: int = 0) -> int:
    """Of `total_minor`, `base_minor` was earned before `base_on`; the rest is by the day before `ends_on`.

    Dates in the seller's zone. A line that ends on the day on which it begins is earned on that day.
    """
    if through + _ONE >= ends_on:
        return total_minor
    days = max((through + _ONE - base_on).days, 0)
    return base_minor + round_half_away(Fraction((total_minor - base_minor) * days, (ends_on - base_on).days))
