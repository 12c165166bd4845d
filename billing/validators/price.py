"""What a price must be: an exact amount, a currency, and the interval that it pays for."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from billing.validators.checks import Checks


@dataclass(frozen=True, slots=True)
class NewPrice:
    """A per-unit price. `unit_amount` is in minor units and may be a fraction of one. `tax_rate`: None means no tax."""

    code: str
    product_code: str
    currency: str
    unit_amount: Decimal
    interval_unit: str
    interval_count: int = 1
    tax_rate: str | None = "standard"


def check_new_price(new: NewPrice) -> None:
    """Raise `Refused` with every fault of `new`. Whether product and tax rate exist, the command asks."""
    checks = Checks()
    checks.code("code", new.code)
    checks.code("product", new.product_code)
    checks.currency("currency", new.currency)
    checks.unit_amount("unit_amount", new.unit_amount)
    checks.interval("interval", new.interval_unit, "interval_count", new.interval_count)
    if new.tax_rate is not None:
        checks.code("tax_rate", new.tax_rate)
    checks.done()
