"""A cohort: the subscriptions that have a price, page by page, with what moving them to another price would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.rows import fetch
from billing.queries.subscription import lock_subscriptions


@dataclass(frozen=True, slots=True)
class Member:
    """A subscription that has the old price, now or scheduled. `items` are those of its next period."""

    subscription_id: UUID
    seller_id: UUID
    profile_id: UUID
    code: str
    account_id: str
    due_at: datetime | None
    items: tuple[tuple[UUID, int | None], ...]
    """(price, quantity) in order, one-off ones included."""


_MEMBERS = """
    SELECT s.id, s.seller_id, s.profile_id, s.code, f.account_id, s.next_due_at, s.scheduled_items,
           i.prices, i.quantities
    FROM billing.subscription s
    JOIN billing.profile f ON f.id = s.profile_id
    JOIN LATERAL (
        SELECT array_agg(price_id ORDER BY position) AS prices, array_agg(quantity ORDER BY position) AS quantities
        FROM billing.subscription_item WHERE subscription_id = s.id) i ON TRUE
    WHERE s.seller_id = %(seller)s AND s.status NOT IN ('canceled', 'incomplete_expired')
      AND (CASE WHEN s.scheduled_items IS NULL THEN %(price)s = ANY(i.prices)
                ELSE s.scheduled_items @> jsonb_build_array(jsonb_build_object('price_id', %(price)s::text)) END)
"""
_PAGE = f"{_MEMBERS} AND s.id > %(after)s ORDER BY s.id LIMIT %(most)s"
_LOCKED = f"{_MEMBERS} AND s.id = ANY(%(ids)s) ORDER BY s.id"


def cohort_page(session: Session, *, seller_id: UUID, price_id: UUID, after: UUID, most: int) -> list[Member]:
    """The next `most` subscriptions by id, after one of them."""
    return _members(fetch(session, _PAGE, seller=seller_id, price=price_id, after=after, most=most))


def lock_members(session: Session, page: Sequence[Member], *, seller_id: UUID, price_id: UUID) -> list[Member]:
    """Lock a page's subscriptions in the order in which billing does. Those of them that have the price still."""
    ids = [member.subscription_id for member in page]
    lock_subscriptions(session, ids)
    return _members(fetch(session, _LOCKED, seller=seller_id, price=price_id, ids=ids))


def _members(rows: Sequence[Any]) -> list[Member]:
    return [
        Member(row.id, row.seller_id, row.profile_id, row.code, row.account_id, row.next_due_at, _items(row))
        for row in rows
    ]


_DROPPED = """
    SELECT subject_id, max(happened_at) AS at FROM billing.audit_trail
    WHERE subject_id = ANY(%(ids)s) AND action IN ('subscription.schedule_dropped', 'subscription.schedule_replaced')
      AND before -> 'scheduled_items' @> jsonb_build_array(jsonb_build_object('price_id', %(price)s::text))
    GROUP BY subject_id
"""


def dropped_moves(session: Session, *, subscription_ids: Sequence[UUID], price_id: UUID) -> dict[UUID, datetime]:
    """When a later change took a scheduled move to that price back, the last time, business time."""
    rows = fetch(session, _DROPPED, ids=list(subscription_ids), price=price_id)
    return {row.subject_id: row.at for row in rows}


def _items(row: Any) -> tuple[tuple[UUID, int | None], ...]:
    if row.scheduled_items is None:
        return tuple(zip(row.prices, row.quantities, strict=True))
    return tuple((UUID(each["price_id"]), each["quantity"]) for each in row.scheduled_items)
