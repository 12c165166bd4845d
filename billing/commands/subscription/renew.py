"""Renew: what each due subscription owes now. Pure computation; `commands.invoice.issue` writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from billing.commands.invoice.planned import PlannedInvoice, PlannedLine
from billing.kernel.ids import new_id
from billing.kernel.period import Interval, IntervalUnit
from billing.kernel.status import SubscriptionStatus
from billing.models import Seller
from billing.queries.renewal import DueItem, DueSlice
from billing.rules.catch_up import CatchUp, CatchUpPolicy, DuePeriod, Schedule, due_periods
from billing.rules.lines import per_unit
from billing.rules.tax import TaxTreatment, treatment
from billing.rules.totals import LineAmount, Totals, totals


@dataclass(frozen=True, slots=True)
class RecordedPeriod:
    """A billing period to write, with the document that bills it (null: recorded only)."""

    seller_id: UUID
    subscription_id: UUID
    period: DuePeriod
    invoice_id: UUID | None


@dataclass(frozen=True, slots=True)
class Advance:
    """What a subscription's row becomes. `ends` closes it at its `cancel_at`."""

    subscription_id: UUID
    seller_id: UUID
    profile_id: UUID
    next_period_no: int
    next_due: datetime | None
    current: DuePeriod | None
    ends: bool


@dataclass(slots=True)
class RenewalPlan:
    """All documents, periods and advances of one slice, in billing order."""

    invoices: list[PlannedInvoice] = field(default_factory=list)
    periods: list[RecordedPeriod] = field(default_factory=list)
    advances: list[Advance] = field(default_factory=list)


def plan(due: DueSlice, *, buyers: Mapping[UUID, bytes], now: datetime) -> RenewalPlan:
    """Plan every due subscription of the slice. `buyers` is each profile's opened personal part (JSON bytes)."""
    made = RenewalPlan()
    sellers = {id_: seller_party(seller) for id_, seller in due.sellers.items()}
    for subscription in due.subscriptions:
        seller = due.sellers[subscription.seller_id]
        profile = due.profiles[subscription.profile_id]
        caught = _caught_up(subscription, seller, now)
        billed_by: dict[int, UUID] = {}
        for periods in caught.documents:
            invoice = _document(
                subscription,
                seller,
                profile,
                items=due.items[subscription.id],
                periods=periods,
                parties=b'{"seller":' + sellers[seller.id] + b',"buyer":' + buyers[profile.id] + b"}",
            )
            made.invoices.append(invoice)
            billed_by.update((period.period_no, invoice.id) for period in periods)
        made.periods.extend(
            RecordedPeriod(seller.id, subscription.id, period, billed_by.get(period.period_no))
            for period in caught.periods
        )
        made.advances.append(
            Advance(
                subscription_id=subscription.id,
                seller_id=seller.id,
                profile_id=profile.id,
                next_period_no=caught.next_period_no,
                next_due=caught.next_due,
                current=caught.periods[-1] if caught.periods else None,
                ends=caught.ends,
            )
        )
    return made


def _caught_up(subscription: Any, seller: Seller, now: datetime) -> CatchUp:
    schedule = Schedule(
        anchor=subscription.anchor_at,
        zone=subscription.timezone,
        interval=_interval(subscription.interval_unit, subscription.interval_count),
        anchor_no=subscription.anchor_no,
        next_period_no=subscription.next_period_no,
        cancel_at=subscription.cancel_at,
    )
    return due_periods(schedule, policy=CatchUpPolicy(seller.catch_up), now=now, max_periods=seller.catch_up_limit)


def _document(
    subscription: Any,
    seller: Seller,
    profile: Any,
    *,
    items: list[DueItem],
    periods: tuple[DuePeriod, ...],
    parties: bytes,
) -> PlannedInvoice:
    lines = tuple(
        _line(item, period, treatment(seller.country, profile.country, profile.has_tax_id, item.rate))
        for period in periods
        for item in items
    )
    return PlannedInvoice(
        id=new_id(),
        seller_id=seller.id,
        profile_id=profile.id,
        subscription_id=subscription.id,
        currency=subscription.currency,
        period_start=periods[0].start,
        period_end=periods[-1].end,
        lines=lines,
        totals=_totals(tuple((line.amount_minor, line.treatment) for line in lines)),
        collection=subscription.collection,
        days_until_due=subscription.days_until_due,
        charged=subscription.status != SubscriptionStatus.UNPAID,
        buyer_country=profile.country,
        buyer_kind=profile.buyer_kind,
        parties_json=parties,
    )


def _line(item: DueItem, period: DuePeriod, how_taxed: TaxTreatment) -> PlannedLine:
    amount_minor, unit, how_json = _priced(item.unit_amount, item.quantity)
    return PlannedLine(
        kind="recurring",
        price_id=item.price_id,
        description=item.product_name,
        quantity=str(item.quantity),
        unit_amount=unit,
        amount_minor=amount_minor,
        discount_minor=0,
        treatment=how_taxed,
        period_start=period.start,
        period_end=period.end,
        how_json=how_json,
    )


@lru_cache(maxsize=8192)
def _priced(unit_amount: Decimal, quantity: int) -> tuple[int, str, str]:
    priced = per_unit(unit_amount, quantity)
    return priced.amount_minor, str(priced.how["unit"]), json.dumps(priced.how, separators=(",", ":"))


@lru_cache(maxsize=8192)
def _totals(lines: tuple[tuple[int, TaxTreatment], ...]) -> Totals:
    """Most documents of a seller add up to one of few sums."""
    return totals([LineAmount(amount_minor, treatment) for amount_minor, treatment in lines])


@lru_cache(maxsize=256)
def _interval(unit: str, count: int) -> Interval:
    return Interval(IntervalUnit(unit), count)


def seller_party(seller: Seller) -> bytes:
    """The seller as documents name it: frozen with each, because a later change of address must not change the past."""
    party = {
        "legal_name": seller.legal_name,
        "country": seller.country,
        "address": seller.address,
        "tax_id": seller.tax_id,
    }
    return json.dumps(party, separators=(",", ":"), ensure_ascii=False, sort_keys=True).encode()
