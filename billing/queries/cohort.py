"""A cohort: the subscriptions that have a price, page by page, with what moving them to another price would do."""

from __future__ import annotations

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


_PAGE = """
    SELECT s.id, s.seller_id, s.profile_id, s.code, f.account_id, s.next_due_at, s.scheduled_items,
           i.prices, i.quantities
    FROM billing.subscription s
    JOIN billing.profile f ON f.id = s.profile_id
    JOIN LATERAL (
        SELECT array_agg(price_id ORDER BY position) AS prices, array_agg(quantity ORDER BY position) AS quantities
        FROM billing.subscription_item WHERE subscription_id = s.id) i ON TRUE
    WHERE s.seller_id = %(seller)s AND s.id > %(after)s AND s.status NOT IN ('canceled', 'incomplete_expired')
      AND (CASE WHEN s.scheduled_items IS NULL THEN %(price)s = ANY(i.prices)
                ELSE s.scheduled_items @> jsonb_build_array(jsonb_build_object('price_id', %(price)s::text)) END)
    ORDER BY s.id LIMIT %(most)s
"""


def cohort_page(session: Session, *, seller_id: UUID, price_id: UUID, after: UUID, most: int) -> list[Member]:
    """The next `most` subscriptions by id, after one of them."""
    rows = fetch(session, _PAGE, seller=seller_id, price=price_id, after=after, most=most)
    return [
        Member(row.id, row.seller_id, row.profile_id, row.code, row.account_id, row.next_due_at, _items(row))
        for row in rows
    ]


def lock_members(session: Session, members: list[Member]) -> None:
    """Lock their subscriptions in the order in which billing does. Read the page again after this."""
    lock_subscriptions(session, [member.subscription_id for member in members])


def _items(row: Any) -> tuple[tuple[UUID, int | None], ...]:
    if row.scheduled_items is None:
        return tuple(zip(row.prices, row.quantities, strict=True))
    return tuple((UUID(each["price_id"]), each["quantity"]) for each in row.scheduled_items)
