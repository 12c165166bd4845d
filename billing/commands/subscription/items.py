"""Items: write a subscription's whole list; what stays keeps its row."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.db.bulk import insert_rows
from billing.db.copy import array
from billing.models import SubscriptionItem
from billing.queries.standing import Item

_GONE = text(
    """
    DELETE FROM billing.subscription_item
    WHERE subscription_id = :subscription AND NOT id = ANY(CAST(:kept AS uuid[]))
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


def replace_items(session: Session, *, seller_id: UUID, subscription_id: UUID, items: Sequence[Item]) -> None:
    """Make `items` the complete list, in order. Each has an id; rows of others are deleted."""
    session.execute(_GONE, {"subscription": subscription_id, "kept": array(item.id for item in items)})
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
