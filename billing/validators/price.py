"""What a price must be: how a quantity becomes an amount, in which currency, and for which interval."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from billing.validators.checks import Checks, decimals

MODELS = ("per_unit", "flat", "package", "graduated", "volume")
TIERED = ("graduated", "volume")
USAGE = ("sum", "max", "last")
MOST_TIERS = 100
MOST_BOUND = Decimal(10) ** 30
MOST_BOUND_DECIMALS = 30
MOST_PACKAGE = 1_000_000_000


@dataclass(frozen=True, slots=True)
class NewTier:
    """Quantities up to and including `up_to` (None: all the rest): `unit` for each, `flat` once, in minor units."""

    up_to: Decimal | None
    unit: Decimal
    flat: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class NewPrice:
    """`unit_amount` is in minor units and may be a fraction of one; a tiered price has `tiers` in its place.

    `interval_unit` None: charged once. `usage` (sum | max | last): metered, paid in arrears; None: licensed, paid in
    advance. `tax_rate` None: no tax.
    """

    code: str
    product_code: str
    currency: str
    unit_amount: Decimal | None
    interval_unit: str | None
    interval_count: int = 1
    tax_rate: str | None = "standard"
    model: str = "per_unit"
    tiers: tuple[NewTier, ...] = ()
    package_size: int | None = None
    usage: str | None = None


def check_new_price(new: NewPrice) -> None:
    """Raise `Refused` with every fault of `new`. Whether product and tax rate exist, the command asks."""
    checks = Checks()
    checks.code("code", new.code)
    checks.code("product", new.product_code)
    checks.currency("currency", new.currency)
    checks.one_of("model", new.model, MODELS)
    if new.model in TIERED:
        _check_tiers(checks, new.tiers)
        if new.unit_amount is not None:
            checks.fault("unit_amount", "not_for_model", f"leave it out; a {new.model} price has tiers")
    elif new.unit_amount is None:
        checks.fault("unit_amount", "missing", "give an amount in minor units")
    else:
        checks.unit_amount("unit_amount", new.unit_amount)
    if new.model not in TIERED and new.tiers:
        checks.fault("tiers", "not_for_model", "leave them out, or choose the model graduated or volume")
    _check_package(checks, new)
    _check_interval(checks, new)
    if new.tax_rate is not None:
        checks.code("tax_rate", new.tax_rate)
    checks.done()


def _check_package(checks: Checks, new: NewPrice) -> None:
    if new.model != "package":
        if new.package_size is not None:
            checks.fault("package_size", "not_for_model", "leave it out, or choose the model package")
    elif new.package_size is None:
        checks.fault("package_size", "missing", "say how many units a package holds")
    else:
        checks.whole("package_size", new.package_size, least=1, most=MOST_PACKAGE)


def _check_interval(checks: Checks, new: NewPrice) -> None:
    if new.interval_unit is not None:
        checks.interval("interval", new.interval_unit, "interval_count", new.interval_count)
    if new.usage is None:
        return
    checks.one_of("usage", new.usage, USAGE)
    if new.interval_unit is None:
        checks.fault("usage", "usage_on_one_off", "give an interval; a price that is charged once is licensed")


def _check_tiers(checks: Checks, tiers: tuple[NewTier, ...]) -> None:
    """Each ends above the one before, and only the last is open."""
    if not 1 <= len(tiers) <= MOST_TIERS:
        checks.fault("tiers", "out_of_range", f"give 1 to {MOST_TIERS} tiers")
        return
    below = Decimal(0)
    for place, tier in enumerate(tiers, start=1):
        last = place == len(tiers)
        if tier.up_to is None:
            if not last:
                checks.fault(f"tiers.{place}.up_to", "inf_before_last", "only the last tier is without end")
        elif last:
            checks.fault(
                f"tiers.{place}.up_to", "last_tier_not_open", "leave the last tier without end (null; in a file inf)"
            )
        elif not tier.up_to.is_finite() or tier.up_to <= below:
            checks.fault(f"tiers.{place}.up_to", "tiers_not_ascending", f"give more than {below}")
        elif tier.up_to >= MOST_BOUND:
            checks.fault(f"tiers.{place}.up_to", "too_large", "give less than 10^30")
        elif decimals(tier.up_to) > MOST_BOUND_DECIMALS:
            checks.fault(f"tiers.{place}.up_to", "too_precise", f"at most {MOST_BOUND_DECIMALS} decimal places")
        else:
            below = tier.up_to
        checks.unit_amount(f"tiers.{place}.unit", tier.unit)
        checks.unit_amount(f"tiers.{place}.flat", tier.flat)
