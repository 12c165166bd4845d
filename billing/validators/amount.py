"""The amount that an order names: whole minor units, from 1."""

from __future__ import annotations

from billing.kernel.money import MOST_TOTAL
from billing.validators.checks import Checks


def require_amount(amount_minor: int | None) -> None:
    """Raise `Refused` (`out_of_range`) for nothing or less than nothing; None is all that there is."""
    if amount_minor is not None:
        checks = Checks()
        checks.whole("amount", amount_minor, least=1, most=MOST_TOTAL)
        checks.done()
