"""Biller: one subscription while it is billed. It gathers lines, lets them wait, and composes documents. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from billing.commands.invoice.compose import Frame, compose, discountable, discounted
from billing.commands.invoice.planned import Held, PlannedInvoice, PlannedLine
from billing.commands.subscription.lines import (
    licensed_line,
    one_off_line,
    stub_line,
    usage_line,
    waited,
)
from billing.commands.subscription.planned import BillingPlan
from billing.commands.subscription.terms import interval_of, waiting_window, window_of
from billing.kernel.ids import new_id
from billing.kernel.period import boundary
from billing.kernel.status import UNCHARGED, SubscriptionStatus
from billing.models import Seller
from billing.queries.charged import ChargedLine
from billing.queries.standing import Item, PriceInUse, Standing
from billing.queries.usage import UsageWindow, Used
from billing.rules.discount import CouponDuration, Discount, still_applies
from billing.rules.proration import ProrationUnit
from billing.rules.tax import TaxTreatment
from billing.rules.walk import STUB, Span

Quantities = Mapping[UsageWindow, Used]
"""What was used, for every window that billing may ask for."""


@dataclass(slots=True)
class Biller:
    """`row` is the subscription's, `parties` the JSON of both; what is to be written gathers in `made`.

    A period that is paid in advance is taxed as of its start, usage as of the last day of its period, and what is
    charged once as of `now`, when the document is issued.
    """

    standing: Standing
    row: Any
    usage: Quantities
    parties: bytes
    made: BillingPlan
    now: datetime
    seller: Seller = field(init=False)
    profile: Any = field(init=False)
    items: list[Item] = field(init=False)
    waiting: list[PlannedLine] = field(init=False)
    coupon_used: int = field(init=False)
    once: dict[UUID, PriceInUse] = field(init=False, default_factory=dict)
    """Prices of what this plan charges once."""

    def __post_init__(self) -> None:
        self.seller = self.standing.sellers[self.row.seller_id]
        self.profile = self.standing.profiles[self.row.profile_id]
        self.items = self.standing.items[self.row.id]
        self.coupon_used = self.row.coupon_used
        self.waiting = [self._carried(line) for line in self.standing.waiting.get(self.row.id, ())]

    @property
    def unit(self) -> ProrationUnit:
        """What a share of a period counts."""
        return ProrationUnit(self.seller.proration)

    def taxed(self, price: PriceInUse, at: datetime) -> TaxTreatment:
        """How a sale to this customer is taxed at that moment."""
        return self.standing.taxed(self.profile, price, at)

    def issue_at(self, at: datetime) -> None:
        """The next document is issued then, as for a preview."""
        self.now = at
        self.waiting = [self._taxed_anew(line) for line in self.waiting]

    def _taxed_anew(self, line: PlannedLine) -> PlannedLine:
        if line.kind != "one_off" or line.price_id is None:
            return line
        price = self.once.get(line.price_id) or self.standing.prices[line.price_id]
        return line._replace(treatment=self.taxed(price, self.now))

    def _carried(self, stored: Any) -> PlannedLine:
        """A line that waited. Usage of a period that no invoice has named yet still grows until then."""
        if stored.kind == "usage":
            item = Item(None, self.standing.prices[stored.price_id], None, stored.counts_from)
            line = self._usage_line(item, Span(stored.period_start, stored.period_end), if_used=stored.if_used)
            return line._replace(id=stored.id)
        if stored.tax_percent is not None:
            return waited(stored, None)
        return waited(stored, self.taxed(self.standing.prices[stored.price_id], stored.period_start or self.now))

    def metered(self, closes: Span, *, items: Iterable[Item] | None = None, if_used: bool = False) -> list[PlannedLine]:
        """What was used in a period that is over, in item order, nothing included. No time, no line."""
        if closes.end <= closes.start:
            return []
        metered = [item for item in (self.items if items is None else items) if item.price.usage is not None]
        return [self._usage_line(item, closes, if_used=if_used) for item in metered]

    def _usage_line(self, item: Item, closes: Span, *, if_used: bool) -> PlannedLine:
        window = window_of(self.row.id, item, closes)
        used = self.usage[window]
        how = self.taxed(item.price, closes.end - timedelta.resolution)
        line = usage_line(item, closes, used.quantity, how, counts_from=window.start, late=used.late)
        return line._replace(if_used=True) if if_used else line

    def licensed(self, opens: Span, *, stub: bool = False) -> list[PlannedLine]:
        """What is paid in advance for a period that begins; of a `stub`, its share of the full one."""
        return [
            self._stub_line(item, opens) if stub else licensed_line(item, opens, self.taxed(item.price, opens.start))
            for item in self.items
            if item.price.usage is None
        ]

    def _stub_line(self, item: Item, stub: Span) -> PlannedLine:
        how = self.taxed(item.price, stub.start)
        return stub_line(item, stub, self.full_start(stub), how, unit=self.unit, zone=self.row.timezone)

    def full_start(self, running: Span) -> datetime:
        """The start of the full period that ends with the running one: its own, except in a stub."""
        row = self.row
        if running.end != row.anchor_at:
            return running.start
        return boundary(row.anchor_at, row.timezone, interval_of(row.interval_unit, row.interval_count), STUB)

    def one_offs(self, items: Iterable[Item]) -> list[PlannedLine]:
        """Those of a new list of items that are charged once."""
        made = [item for item in items if item.price.interval_unit is None]
        self.once.update((item.price.id, item.price) for item in made)
        return [one_off_line(item, self.taxed(item.price, self.now)) for item in made]

    def wait(self, lines: Iterable[PlannedLine]) -> list[PlannedLine]:
        """Let lines wait for the next document. Returns them with their ids."""
        kept = [line if line.id else line._replace(id=new_id()) for line in lines]
        self.waiting.extend(kept)
        self.made.waits.extend((self.row.seller_id, self.row.id, line) for line in kept)
        return kept

    def after_drafts(self, credits_: Iterable[tuple[ChargedLine, PlannedLine]]) -> list[PlannedLine]:
        """Put what gives back lines of drafts on these drafts, which say what is due. Returns the other credits.

        Among them what a draft doesn't bear: earlier credits have lowered it, and no invoice takes off below 0.
        """
        others, taken_off = [], Counter[UUID]()
        for charged, credit in credits_:
            draft = charged.invoice_id if charged.on_draft else None
            if draft is None:
                others.append(credit)
            elif taken_off[draft] - credit.amount_minor <= charged.bears_minor:
                taken_off[draft] -= credit.amount_minor
                self.made.on_drafts.append((draft, credit))
            else:
                others.append(credit._replace(credits_issued=True))
        return others

    def write(self, span: Span | None, lines: Sequence[PlannedLine]) -> PlannedInvoice | None:
        """Compose a document of all that waits and these lines, with the coupon where it still applies.

        None without lines. One of a subscription that is `unpaid`, or that dunning ended, is issued and not charged.
        """
        told = [line for line in (*self.drop(), *lines) if not (line.if_used and line.quantity == "0")]
        return self.compose(span, self._discounted(told)) if told else None

    def drop(self) -> list[PlannedLine]:
        """Let nothing wait any more. Returns what did."""
        dropped, self.waiting = self.waiting, []
        self.made.taken.extend(line.id for line in dropped if line.id is not None)
        return dropped

    def compose(self, span: Span | None, lines: Sequence[PlannedLine]) -> PlannedInvoice:
        """The document of exactly these lines."""
        row = self.row
        frame = Frame(
            seller=self.seller,
            profile=self.profile,
            parties=self.parties,
            currency=row.currency,
            subscription_id=row.id,
            span=span,
            collection=row.collection,
            days_until_due=row.days_until_due,
            charged=row.status not in UNCHARGED,
            held=self._held(),
            hold_id=self.standing.guarded.get(row.id),
        )
        document = compose(frame, lines, wallet=self.made.wallet)
        self.made.documents.append(document)
        return document

    def _held(self) -> Held | None:
        if self.row.status == SubscriptionStatus.INCOMPLETE:
            return Held.FIRST_PAYMENT
        if self.row.id in self.standing.guarded:
            return Held.GUARD
        return Held.REVIEW if self.seller.draft_review_h else None

    def _discounted(self, lines: list[PlannedLine]) -> list[PlannedLine]:
        coupon = self.standing.coupons.get(self.row.coupon_id) if self.row.coupon_id else None
        if coupon is None or not discountable(lines):
            return lines
        if not still_applies(CouponDuration(coupon.duration), periods=coupon.periods, used=self.coupon_used):
            return lines
        self.coupon_used += 1
        return discounted(lines, Discount(coupon.percent, coupon.amount_minor))


def waiting_windows(standing: Standing, subscription_id: UUID) -> list[UsageWindow]:
    """The stretches of time whose usage waits to be told."""
    return [
        waiting_window(line, standing.prices[line.price_id])
        for line in standing.waiting.get(subscription_id, ())
        if line.kind == "usage"
    ]
