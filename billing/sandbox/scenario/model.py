"""A valid scenario: the seller, the catalog, the customers, and what happens when. All names and defaults are resolved.

Times are aware UTC. Money ends in `_minor` and is in minor units; unit prices are exact decimals in minor units.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from billing.sandbox.scenario.steps import (
    ApplyCoupon,
    Cancel,
    Change,
    Charge,
    GrantCredit,
    ItemSpec,
    MarkPaid,
    MarkUncollectible,
    Outage,
    Pause,
    RefundStep,
    Resume,
    SetPaymentMethod,
    Step,
    StepBase,
    Subscribe,
    Uncancel,
    Usage,
    VoidStep,
)

__all__ = [
    "ApplyCoupon",
    "Cancel",
    "Change",
    "Charge",
    "CouponSpec",
    "CustomerSpec",
    "GrantCredit",
    "ItemSpec",
    "MarkPaid",
    "MarkUncollectible",
    "Outage",
    "Pause",
    "PriceSpec",
    "RefundStep",
    "Resume",
    "Scenario",
    "SellerSpec",
    "SetPaymentMethod",
    "Step",
    "StepBase",
    "Subscribe",
    "TaxRateSpec",
    "TierSpec",
    "Uncancel",
    "Usage",
    "VoidStep",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxRateSpec:
    """One named rate. `countries` gives the percent for other countries, by upper-case ISO code."""

    percent: Decimal
    inclusive: bool
    countries: dict[str, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class SellerSpec:
    """Who sells. `retries` are the dunning delays, each counted from the moment before it."""

    country: str
    currency: str
    timezone: str
    tax_rates: dict[str, TaxRateSpec]
    proration: str
    """second | day"""
    catch_up: str
    """bill_each | merge | skip"""
    retries: tuple[timedelta, ...]
    final: str
    """cancel | unpaid | keep"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TierSpec:
    """Quantities up to and including `up_to` (None: all the rest); `unit` and `flat` in minor units."""

    up_to: Decimal | None
    unit: Decimal
    flat: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceSpec:
    """One price. `interval_unit` None: one-off. `usage` None: licensed, paid in advance. `tax_rate` None: no tax."""

    code: str
    product: str
    currency: str
    interval_unit: str | None
    interval_count: int
    model: str
    """per_unit | flat | package | graduated | volume"""
    unit_amount: Decimal | None
    """The file's `amount`, in minor units; None where there are tiers."""
    tiers: tuple[TierSpec, ...]
    package_size: int | None
    usage: str | None
    """sum | max | last"""
    tax_rate: str | None

    @property
    def metered(self) -> bool:
        return self.usage is not None

    @property
    def recurring(self) -> bool:
        return self.interval_unit is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponSpec:
    """A discount: `percent` or `amount_minor`, never both. `periods` is given only where `duration` is repeating."""

    code: str
    percent: Decimal | None
    amount_minor: int | None
    duration: str
    """once | repeating | forever"""
    periods: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerSpec:
    """Who buys. `payment_method` None: has none."""

    code: str
    country: str
    timezone: str
    tax_id: str | None
    payment_method: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What to play. `steps` are in the order of their moments (equal ones in file order), none later than `until`."""

    about: str
    seller: SellerSpec
    prices: dict[str, PriceSpec]
    coupons: dict[str, CouponSpec]
    customers: dict[str, CustomerSpec]
    steps: tuple[Step, ...]
    until: datetime
