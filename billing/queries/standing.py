"""What a slice of renewals reads: profiles locked in id order, then everything else set-wise, in five queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.db.copy import array
from billing.db.rows import fetch
from billing.models import Seller
from billing.rules.tax import TaxRate


@dataclass(frozen=True, slots=True)
class DueItem:
    """One price of a due subscription, with what its line will say."""

    price_id: UUID
    product_name: str
    unit_amount: Decimal
    quantity: int
    rate: TaxRate | None


@dataclass(frozen=True, slots=True)
class DueSlice:
    """Everything that renewing the slice needs. Rows are plain: names of columns as in their tables."""

    profiles: dict[UUID, Any]
    subscriptions: Sequence[Any]
    """By profile id, then by subscription code: the order in which they are billed."""
    items: dict[UUID, list[DueItem]]
    sellers: dict[UUID, Seller]


_PROFILES = """
    SELECT p.id, p.seller_id, p.country, p.buyer_kind, p.has_tax_id, p.personal, k.id AS key_id, k.master_id, k.wrapped
    FROM billing.profile p
    JOIN billing.data_key k ON k.purpose = 'profile' AND k.owner_id = p.id AND k.year = 0
    WHERE p.id = ANY(CAST(%(profiles)s AS uuid[])) AND p.hold_id IS NULL
    ORDER BY p.id
    FOR NO KEY UPDATE OF p
"""

_SUBSCRIPTIONS = """
    SELECT id, seller_id, profile_id, code, status, currency, interval_unit, interval_count, timezone, anchor_at,
           anchor_no, next_period_no, cancel_at, collection, days_until_due
    FROM billing.subscription
    WHERE profile_id = ANY(CAST(%(profiles)s AS uuid[])) AND next_due_at <= %(now)s AND hold_id IS NULL
      AND (CAST(%(only)s AS uuid[]) IS NULL OR id = ANY(CAST(%(only)s AS uuid[])))
    ORDER BY profile_id, code
    FOR NO KEY UPDATE
"""

_ITEMS = """
    SELECT i.subscription_id, i.price_id, i.quantity, p.unit_amount, d.name, r.id AS rate_id
    FROM billing.subscription_item i
    JOIN billing.price p ON p.id = i.price_id
    JOIN billing.product d ON d.id = p.product_id
    LEFT JOIN billing.tax_rate r ON r.id = p.tax_rate_id
    WHERE i.subscription_id = ANY(CAST(%(subscriptions)s AS uuid[]))
    ORDER BY i.subscription_id, i.position
"""

_RATES = text("SELECT id, percent, inclusive, countries FROM billing.tax_rate WHERE id = ANY(:ids)")


def load_due(session: Session, *, profiles: Sequence[UUID], only: Sequence[UUID] | None, now: datetime) -> DueSlice:
    """Lock the slice's profiles and due subscriptions, and read what they need. Held ones are left out."""
    locked = {row.id: row for row in fetch(session, _PROFILES, profiles=array(profiles))}
    wanted = array(only) if only is not None else None
    due = fetch(session, _SUBSCRIPTIONS, profiles=array(locked), now=now, only=wanted)
    found = fetch(session, _ITEMS, subscriptions=array(row.id for row in due))
    rates = _tax_rates(session, {row.rate_id for row in found if row.rate_id is not None})
    items: dict[UUID, list[DueItem]] = defaultdict(list)
    for row in found:
        items[row.subscription_id].append(
            DueItem(row.price_id, row.name, row.unit_amount, row.quantity, rates.get(row.rate_id))
        )
    owners = {row.seller_id for row in due}
    sellers = {seller.id: seller for seller in session.scalars(select(Seller).where(Seller.id.in_(owners)))}
    return DueSlice(profiles=locked, subscriptions=due, items=items, sellers=sellers)


def _tax_rates(session: Session, ids: set[UUID]) -> dict[UUID, TaxRate]:
    if not ids:
        return {}
    return {
        row.id: TaxRate.of(percent=row.percent, inclusive=row.inclusive, countries=row.countries)
        for row in session.execute(_RATES, {"ids": list(ids)})
    }
