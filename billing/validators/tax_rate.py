"""What a tax rate must be: a name, a percent at home, and percents of destinations where they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from billing.validators.checks import Checks


@dataclass(frozen=True, slots=True)
class NewTaxRate:
    """A rate to be put. `countries` maps a destination to its percent."""

    name: str
    percent: Decimal
    inclusive: bool = False
    countries: Mapping[str, Decimal] = field(default_factory=dict)


def check_new_tax_rate(new: NewTaxRate) -> None:
    """Raise `Refused` with every fault of `new`."""
    checks = Checks()
    checks.code("name", new.name)
    checks.percent("percent", new.percent)
    for country, percent in new.countries.items():
        checks.country(f"countries.{country}", country)
        checks.percent(f"countries.{country}", percent)
    checks.done()
