"""What an intake is given: things to be, each with the line it came from, and what an intake answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from billing.kernel.errors import Fault, Refused
from billing.validators.coupon import NewCoupon
from billing.validators.payment_method import Consent
from billing.validators.price import NewPrice
from billing.validators.product import NewProduct
from billing.validators.profile import NewProfile
from billing.validators.seller import NewSeller
from billing.validators.subscription import NewSubscription
from billing.validators.tax_rate import NewTaxRate

T = TypeVar("T")


@dataclass(frozen=True, slots=True, order=True)
class LineFault:
    """One thing wrong with a file: where, which field, which rule, and how to mend it."""

    line: int
    field: str
    code: str
    mend: str


@dataclass(frozen=True, slots=True)
class Given(Generic[T]):
    """One thing of a file. A field that is not in `lines` stands at `line`; one not in `names` is called as here."""

    seller: str
    line: int
    value: T
    lines: Mapping[str, int] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def fault(self, name: str, code: str, mend: str) -> LineFault:
        """A fault of the field, where and as the file has it."""
        return LineFault(self.lines.get(name, self.line), self.names.get(name, name), code, mend)


@dataclass(frozen=True, slots=True)
class NewCustomer:
    """A profile, and the payment method and provider's customer that it brings along, where it does."""

    profile: NewProfile
    method_ref: str | None = None
    customer_ref: str | None = None
    provider: str = "stripe"
    """Who has them. Compared with nothing: a customer who is there keeps their methods."""
    consent: Consent | None = None


@dataclass(frozen=True, slots=True)
class Intake:
    """Everything of one file, in file order."""

    sellers: tuple[Given[NewSeller], ...] = ()
    tax_rates: tuple[Given[NewTaxRate], ...] = ()
    products: tuple[Given[NewProduct], ...] = ()
    prices: tuple[Given[NewPrice], ...] = ()
    coupons: tuple[Given[NewCoupon], ...] = ()
    customers: tuple[Given[NewCustomer], ...] = ()
    subscriptions: tuple[Given[NewSubscription], ...] = ()
    faults: tuple[LineFault, ...] = ()
    """What could not be read. The field then holds something harmless, and nothing more is said of it."""


class IntakeRefused(Refused):
    """The file can't be taken in. Nothing was written. `line_faults` holds all faults found, in line order."""

    def __init__(self, faults: Iterable[LineFault]) -> None:
        self.line_faults = sorted(set(faults))
        super().__init__([Fault(f"line {each.line}: {each.field}", each.code, each.mend) for each in self.line_faults])


@dataclass(frozen=True, slots=True)
class FirstBill:
    """When a new subscription is first billed, and what (minor units, tax included).

    `due_now` counts the periods that have begun already: they are billed as soon as the next sweep runs.
    """

    seller: str
    subscription: str
    account_id: str
    at: datetime
    total_minor: int
    currency: str
    due_now: int


@dataclass(frozen=True, slots=True)
class IntakeReport:
    """What was created (or, of a dry run, would be) and what was there already, by noun."""

    dry_run: bool
    created: dict[str, int]
    unchanged: dict[str, int]
    first_bills: tuple[FirstBill, ...]

    @property
    def changes_nothing(self) -> bool:
        return not any(self.created.values())
