"""Where subscriptions stand: profiles locked in id order, then all that billing them needs, set-wise.

The number of statements is fixed; those about coupons, usage and scheduled items run only where there are any.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.db.copy import id_array
from billing.db.rows import fetch
from billing.models import Seller
from billing.queries.brakes import BrakeKind, moves
from billing.rules.lines import PriceTerms
from billing.rules.tax import TaxRate, TaxTreatment, in_force, treatment


@dataclass(frozen=True, slots=True)
class PriceInUse:
    """A price with what its lines will say. Recurs unless `interval_unit` is null; metered where `usage` is not."""

    id: UUID
    code: str
    name: str
    currency: str
    terms: PriceTerms
    usage: str | None
    interval_unit: str | None
    interval_count: int
    rate: TaxRate | None


class Item(NamedTuple):
    """One price of a subscription. `quantity` is null for a metered one. `id` is null until it is written."""

    id: UUID | None
    price: PriceInUse
    quantity: int | None
    counts_from: datetime


@dataclass(frozen=True, slots=True)
class CouponTerms:
    """What a coupon takes off, and on how many documents."""

    id: UUID
    code: str
    percent: Decimal | None
    amount_minor: int | None
    duration: str
    periods: int | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything that billing some subscriptions needs. Rows are plain: names of columns as in their tables."""

    profiles: dict[UUID, Any]
    subscriptions: Sequence[Any]
    """By profile id, then by subscription code: the order in which they are billed."""
    items: Mapping[UUID, list[Item]]
    scheduled: Mapping[UUID, list[Item]]
    """Items that hold from the end of the running period on, by subscription."""
    waiting: Mapping[UUID, list[Any]]
    """Waiting lines by subscription, in the order written."""
    prices: Mapping[UUID, PriceInUse]
    """Of the items and the waiting lines."""
    coupons: Mapping[UUID, CouponTerms]
    balances: dict[tuple[UUID, str], int]
    """Credit in store by (profile, currency)."""
    carried_forward: dict[tuple[UUID, str], int]
    """Debts carried forward, by the same."""
    sellers: dict[UUID, Seller]
    treatments: dict[tuple[UUID, str, bool], TaxTreatment] = field(default_factory=dict)
    """Tax treatments found so far, by price, buyer's country and whether it reverses the charge."""
    guarded: Mapping[UUID, UUID] = field(default_factory=dict)
    """Subscriptions whose documents are held by a guard, with its work item."""

    def taxed(self, profile: Any, price: PriceInUse, at: datetime) -> TaxTreatment:
        """How a sale of this price to this profile is taxed at a moment. Raises `Refused`
        (`destination_rate_missing`)."""
        if price.rate is not None and price.rate.changes:
            return self._treated(profile, in_force(price.rate, at, self.sellers[profile.seller_id].timezone))
        key = (price.id, profile.country, profile.has_tax_id)
        found = self.treatments.get(key)
        if found is None:
            found = self.treatments[key] = self._treated(profile, price.rate)
        return found

    def _treated(self, profile: Any, rate: TaxRate | None) -> TaxTreatment:
        seller = self.sellers[profile.seller_id]
        return treatment(seller.country, profile.country, profile.has_tax_id, rate, seller.oss)


_PROFILES = """
    SELECT p.id, p.seller_id, p.country, p.buyer_kind, p.has_tax_id, p.tax_id_check, p.personal, k.id AS key_id,
           k.master_id, k.wrapped
    FROM billing.profile p
    JOIN billing.data_key k ON k.purpose = 'profile' AND k.owner_id = p.id AND k.year = 0
    WHERE p.id = ANY(CAST(%(profiles)s AS uuid[])) AND (p.hold_id IS NULL OR %(held)s)
    ORDER BY p.id
"""

_SUBSCRIPTIONS = f"""
    SELECT id, seller_id, profile_id, code, status, currency, interval_unit, interval_count, timezone, anchor_at,
           anchor_no, next_period_no, next_due_at, started_at, trial_end, current_period_start, current_period_end,
           cancel_at, paused_at, scheduled_items, coupon_id, coupon_used, collection, days_until_due
    FROM billing.subscription
    WHERE profile_id = ANY(CAST(%(profiles)s AS uuid[])) AND (hold_id IS NULL OR %(held)s)
      AND (CAST(%(due)s AS timestamptz) IS NULL
           OR (next_due_at <= CAST(%(due)s AS timestamptz) AND {moves(BrakeKind.ISSUE, "subscription")}))
      AND (CAST(%(only)s AS uuid[]) IS NULL OR id = ANY(CAST(%(only)s AS uuid[])))
    ORDER BY profile_id, code
"""  # noqa: S608 (our own words)

_ITEMS = """
    SELECT subscription_id, id, price_id, quantity, counts_from
    FROM billing.subscription_item
    WHERE subscription_id = ANY(CAST(%(subscriptions)s AS uuid[]))
    ORDER BY subscription_id, position
"""

_PRICES = """
    SELECT p.id, p.code, d.name, p.currency, p.model, p.unit_amount, p.tiers, p.package_size, p.usage, p.interval_unit,
           p.interval_count, r.percent, r.inclusive, r.countries, r.changes
    FROM billing.price p
    JOIN billing.product d ON d.id = p.product_id
    LEFT JOIN billing.tax_rate r ON r.id = p.tax_rate_id
    WHERE p.id = ANY(CAST(%(prices)s AS uuid[]))
"""

_WAITING = """
    SELECT id, subscription_id, kind, price_id, description, quantity, unit_amount, amount_minor, period_start,
           period_end, how::text AS how_json, tax_percent, tax_inclusive, tax_code, credits_line_id, credits_issued,
           counts_from, if_used
    FROM billing.waiting_line
    WHERE subscription_id = ANY(CAST(%(subscriptions)s AS uuid[]))
    ORDER BY subscription_id, id
"""

_COUPONS = """
    SELECT id, code, percent, amount_minor, duration, periods
    FROM billing.coupon WHERE id = ANY(CAST(%(coupons)s AS uuid[]))
"""

_BALANCES = """
    SELECT profile_id, currency, amount_minor, carried_forward_minor FROM billing.credit_balance
    WHERE profile_id = ANY(CAST(%(profiles)s AS uuid[])) AND (amount_minor > 0 OR carried_forward_minor > 0)
"""


def load_standing(
    session: Session,
    *,
    profiles: Collection[UUID],
    only: Collection[UUID] | None = None,
    due: datetime | None = None,
    lock: bool = True,
    held: bool = False,
) -> Standing:
    """Lock the profiles and their subscriptions (`only` these, if given; those `due` by then), and read the rest.

    Held ones are left out, unless `held`: what is corrected by a person, or was paid already, asks for nothing more.
    Without `lock` for a preview, which may be overtaken.
    """
    of_profiles, of_rows = (" FOR NO KEY UPDATE OF p", " FOR NO KEY UPDATE") if lock else ("", "")
    locked = {row.id: row for row in fetch(session, _PROFILES + of_profiles, profiles=id_array(profiles), held=held)}
    wanted = id_array(only) if only is not None else None
    found = fetch(session, _SUBSCRIPTIONS + of_rows, profiles=id_array(locked), due=due, only=wanted, held=held)
    of_found = id_array(row.id for row in found)
    rows = fetch(session, _ITEMS, subscriptions=of_found)
    lines = fetch(session, _WAITING, subscriptions=of_found)
    planned = {row.id: row.scheduled_items for row in found if row.scheduled_items}
    prices = prices_in_use(
        session,
        {row.price_id for row in (*rows, *lines) if row.price_id is not None}
        | {UUID(each["price_id"]) for items in planned.values() for each in items},
    )
    items: dict[UUID, list[Item]] = defaultdict(list)
    for row in rows:
        items[row.subscription_id].append(Item(row.id, prices[row.price_id], row.quantity, row.counts_from))
    waiting: dict[UUID, list[Any]] = defaultdict(list)
    for row in lines:
        waiting[row.subscription_id].append(row)
    stored = fetch(session, _BALANCES, profiles=id_array(locked))
    owners = {row.seller_id for row in locked.values()}
    return Standing(
        profiles=locked,
        subscriptions=found,
        items=items,
        scheduled={
            row.id: [
                Item(None, prices[UUID(each["price_id"])], each["quantity"], row.current_period_end)
                for each in planned[row.id]
            ]
            for row in found
            if row.id in planned
        },
        waiting=waiting,
        prices=prices,
        coupons=_coupons(session, {row.coupon_id for row in found if row.coupon_id is not None}),
        balances={(row.profile_id, row.currency): row.amount_minor for row in stored},
        carried_forward={(row.profile_id, row.currency): row.carried_forward_minor for row in stored},
        sellers={seller.id: seller for seller in session.scalars(select(Seller).where(Seller.id.in_(owners)))},
    )


def prices_in_use(session: Session, ids: Collection[UUID]) -> dict[UUID, PriceInUse]:
    """The prices of these ids, in one statement."""
    if not ids:
        return {}
    return {
        row.id: PriceInUse(
            id=row.id,
            code=row.code,
            name=row.name,
            currency=row.currency,
            terms=PriceTerms.of(
                model=row.model, unit_amount=row.unit_amount, tiers=row.tiers, package_size=row.package_size
            ),
            usage=row.usage,
            interval_unit=row.interval_unit,
            interval_count=row.interval_count,
            rate=None
            if row.percent is None
            else TaxRate.of(percent=row.percent, inclusive=row.inclusive, countries=row.countries, changes=row.changes),
        )
        for row in fetch(session, _PRICES, prices=id_array(ids))
    }


def _coupons(session: Session, ids: Collection[UUID]) -> dict[UUID, CouponTerms]:
    if not ids:
        return {}
    return {row.id: CouponTerms(*row) for row in fetch(session, _COUPONS, coupons=id_array(ids))}
