"""Items: write a subscription's whole list; what stays keeps its row, what goes is kept as a past one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.db.bulk import insert_rows
from billing.db.copy import array
from billing.models import SubscriptionItem
from billing.queries.standing import Item

_GONE = text(
    """
    WITH gone AS (
        DELETE FROM billing.subscription_item
        WHERE subscription_id = :subscription AND NOT id = ANY(CAST(:kept AS uuid[]))
        RETURNING id, seller_id, subscription_id, price_id, quantity, counts_from
    )
    INSERT INTO billing.past_item (id, seller_id, subscription_id, price_id, quantity, counts_from, ended_at)
    SELECT gone.*, greatest(counts_from, CAST(:at AS timestamptz)) FROM gone
    """
)
_STAYS = text(
    """
    UPDATE billing.subscription_item i
    SET quantity = n.quantity, position = n.position, version = i.version + 1, updated_at = clock_timestamp()
    FROM unnest(CAST(:ids AS uuid[]), CAST(:quantities AS int[]), CAST(:positions AS int[]))
         AS n(id, quantity, position)
    WHERE i.id = n.id
    """
)


def replace_items(
    session: Session, *, seller_id: UUID, subscription_id: UUID, items: Sequence[Item], at: datetime
) -> None:
    """Make `items` the complete list, in order, from `at` on (business time). Each has an id; others are past then."""
    kept = array(item.id for item in items)
    session.execute(_GONE, {"subscription": subscription_id, "kept": kept, "at": at})
    written = session.execute(
        text("SELECT id FROM billing.subscription_item WHERE subscription_id = :id"), {"id": subscription_id}
    )
    known = set(written.scalars())
    session.execute(
        _STAYS,
        {
            "ids": array(item.id for item in items),
            "quantities": array(item.quantity for item in items),
            "positions": array(range(1, len(items) + 1)),
        },
    )
    insert_rows(
        session,
        SubscriptionItem,
        [
            {
                "id": item.id,
                "seller_id": seller_id,
                "subscription_id": subscription_id,
                "price_id": item.price.id,
                "quantity": item.quantity,
                "position": position,
                "counts_from": item.counts_from,
                "version": 1,
            }
            for position, item in enumerate(items, start=1)
            if item.id not in known
        ],
    )
