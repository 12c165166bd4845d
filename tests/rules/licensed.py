"""A line of a licensed quantity."""

from __future__ import annotations

from decimal import Decimal

from billing.rules.lines import Priced, PriceModel, PriceTerms, priced


def licensed(unit: Decimal, quantity: int) -> Priced:
    """What `quantity` at `unit` minor units each costs."""
    return priced(PriceTerms(PriceModel.PER_UNIT, unit), Decimal(quantity))
