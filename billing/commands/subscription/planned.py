"""What billing plans: the periods, rows, lines and documents that are to be written of some subscriptions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from billing.commands.invoice.compose import Wallet
from billing.commands.invoice.planned import PlannedInvoice, PlannedLine
from billing.kernel.period import Interval
from billing.kernel.status import PeriodDisposition
from billing.queries.standing import Item
from billing.rules.walk import Span


@dataclass(frozen=True, slots=True)
class RecordedPeriod:
    """A billing period to write, with the document that bills it (null: there is none)."""

    seller_id: UUID
    subscription_id: UUID
    anchor_no: int
    period_no: int
    span: Span
    disposition: PeriodDisposition
    invoice_id: UUID | None


@dataclass(frozen=True, slots=True)
class Advance:
    """What a subscription's row becomes: whole in these columns, `current` None leaves the running period.

    `ended_at` closes it; `turned` has its new items and anchor. `begins`: it was to wait for its first payment, and
    there is nothing to pay.
    """

    subscription_id: UUID
    seller_id: UUID
    profile_id: UUID
    status: str
    next_period_no: int
    next_due: datetime | None
    current: Span | None
    coupon_used: int
    cancel_at: datetime | None
    ended_at: datetime | None
    turned: Turned | None
    begins: bool = False


@dataclass(frozen=True, slots=True)
class Turned:
    """Items that took the place of others, the moment from which on they hold, and the anchor and interval since."""

    at: datetime
    items: tuple[Item, ...]
    anchor_at: datetime
    anchor_no: int
    interval: Interval


@dataclass(slots=True)
class BillingPlan:
    """All that is to be written of some subscriptions, documents in billing order."""

    wallet: Wallet
    documents: list[PlannedInvoice] = field(default_factory=list)
    periods: list[RecordedPeriod] = field(default_factory=list)
    advances: list[Advance] = field(default_factory=list)
    waits: list[tuple[UUID, UUID, PlannedLine]] = field(default_factory=list)
    """New waiting lines: (seller, subscription, line)."""
    taken: list[UUID] = field(default_factory=list)
    """Waiting lines that a document took over."""
    on_drafts: list[tuple[UUID, PlannedLine]] = field(default_factory=list)
    """What is given back of lines that stand on drafts, each with its draft."""
    cuts: list[tuple[UUID, int, int, datetime]] = field(default_factory=list)
    """Periods that end early: (subscription, anchor_no, period_no, when)."""
