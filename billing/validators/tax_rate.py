"""What a tax rate must be: a name, a percent at home, percents abroad where they differ, and its changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from billing.validators.checks import Checks

MOST_CHANGES = 100


@dataclass(frozen=True, slots=True)
class NewRateChange:
    """What a rate is from a day on, in the seller's zone. What it does not name stays as it was."""

    starts_on: date
    percent: Decimal | None = None
    countries: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewTaxRate:
    """A rate to be put. `countries` maps a destination to its percent; `changes` come on their days by themselves."""

    name: str
    percent: Decimal
    inclusive: bool = False
    countries: Mapping[str, Decimal] = field(default_factory=dict)
    changes: Sequence[NewRateChange] = ()


def check_new_tax_rate(new: NewTaxRate) -> None:
    """Raise `Refused` with every fault of `new`."""
    checks = Checks()
    checks.code("name", new.name)
    checks.percent("percent", new.percent)
    _check_countries(checks, "countries", new.countries)
    if len(new.changes) > MOST_CHANGES:
        checks.fault("changes", "too_many", f"at most {MOST_CHANGES}; put the rate as it is by now, without the oldest")
    days = [change.starts_on for change in new.changes]
    for place, change in enumerate(new.changes, start=1):
        field_ = f"changes.{place}"
        if change.starts_on in days[: place - 1]:
            checks.fault(f"{field_}.starts_on", "day_twice", "say all that changes on one day in one change")
        if change.percent is None and not change.countries:
            checks.fault(field_, "changes_nothing", "give a percent, or percents of countries")
        if change.percent is not None:
            checks.percent(f"{field_}.percent", change.percent)
        _check_countries(checks, f"{field_}.countries", change.countries)
    checks.done()


def _check_countries(checks: Checks, field_: str, countries: Mapping[str, Decimal]) -> None:
    for country, percent in countries.items():
        checks.country(f"{field_}.{country}", country)
        checks.percent(f"{field_}.{country}", percent)
