"""What may happen in a scenario: one type a kind of step, its fields named as in the file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSpec:
    """One price, by its code in the file, and how many of it. `quantity` None: metered."""

    price: str
    quantity: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBase:
    """What every step has. `number` is its place in the file's timeline, from 1; `at` is aware UTC."""

    number: int
    at: datetime
    do: str
    expect_error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe(StepBase):
    """`name` is the file's `as`. `anchor` is later than `at`, at most a full period; never beside `trial_days`."""

    name: str
    customer: str
    items: tuple[ItemSpec, ...]
    trial_days: int | None
    anchor: datetime | None
    coupon: str | None
    collection: str
    """automatic | send_invoice"""
    days_until_due: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(StepBase):
    """`items` is the complete new list."""

    subscription: str
    items: tuple[ItemSpec, ...]
    when: str
    """now | period_end"""
    proration: str
    """prorate | none | invoice_now"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel(StepBase):
    """`prorate`: give back the unused licensed part, into the credit balance."""

    subscription: str
    when: str
    """now | period_end"""
    prorate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncancel(StepBase):
    """Take back a scheduled cancel."""

    subscription: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause(StepBase):
    """Boundaries pass without an invoice."""

    subscription: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume(StepBase):
    """Bill again, from the next boundary."""

    subscription: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage(StepBase):
    """One usage record. `timestamp` is `at` where the file gives none; a repeated `id` is ignored."""

    subscription: str
    price: str
    quantity: Decimal
    id: str
    timestamp: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPaymentMethod(StepBase):
    """A new default method, by the stand-in's name for it. None: the customer has none from now on."""

    customer: str
    payment_method: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyCoupon(StepBase):
    """Replaces the subscription's coupon and starts counting anew."""

    subscription: str
    coupon: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge(StepBase):
    """A one-off invoice in the seller's currency; `amount_minor` is net."""

    customer: str
    amount_minor: int
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantCredit(StepBase):
    """Into the credit balance, in the seller's currency."""

    customer: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundStep(StepBase):
    """`invoice` is its place, from 1, among the invoices of the output. `amount_minor` None: all that is refundable."""

    invoice: int
    amount_minor: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidStep(StepBase):
    """`invoice` is its place, from 1."""

    invoice: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkUncollectible(StepBase):
    """`invoice` is its place, from 1."""

    invoice: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkPaid(StepBase):
    """`invoice` is its place, from 1."""

    invoice: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage(StepBase):
    """The scheduler stands still in [at, until); `until` may lie after the scenario's end."""

    until: datetime


Step: TypeAlias = (
    Subscribe
    | Change
    | Cancel
    | Uncancel
    | Pause
    | Resume
    | Usage
    | SetPaymentMethod
    | ApplyCoupon
    | Charge
    | GrantCredit
    | RefundStep
    | VoidStep
    | MarkUncollectible
    | MarkPaid
    | Outage
)
