"""Move subscriptions to another price from their next period on. A price never changes: a new one takes its place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.events.bulk import emit_many
from billing.events.topics import Topic
from billing.kernel.errors import Fault, Refused
from billing.queries.catalog import PriceFacts
from billing.queries.cohort import Member

_SCHEDULE = text(
    """
    UPDATE billing.subscription s
    SET scheduled_items = m.items, version = s.version + 1, updated_at = clock_timestamp()
    FROM unnest(CAST(:ids AS uuid[]), CAST(:items AS jsonb[])) AS m(id, items)
    WHERE s.id = m.id
    """
)


def check_move(old: PriceFacts, new: PriceFacts) -> None:
    """Raise `Refused` unless one price can stand in for the other: `same_price`, `price_differs` for each respect."""
    if old.id == new.id:
        raise Refused(Fault("to", "same_price", "name another price"))
    faults = [
        Fault("to", "price_differs", f"its {name} is {theirs}, that of the old one is {ours}; move by hand")
        for name, ours, theirs in (
            ("currency", old.given.currency, new.given.currency),
            ("interval", _rhythm(old), _rhythm(new)),
            ("usage", old.given.usage or "licensed", new.given.usage or "licensed"),
        )
        if ours != theirs
    ]
    if faults:
        raise Refused(faults)


def schedule_moves(session: Session, members: Sequence[Member], *, old: UUID, new: UUID, now: datetime) -> None:
    """Let each hold the new price from its next period on; three statements. The caller holds the rows."""
    if not members:
        return
    lists = [
        [{"price_id": str(new if price == old else price), "quantity": quantity} for price, quantity in member.items]
        for member in members
    ]
    session.execute(
        _SCHEDULE,
        {"ids": [member.subscription_id for member in members], "items": [json.dumps(items) for items in lists]},
    )
    emit_many(
        session,
        topic=Topic.SUBSCRIPTION_UPDATED,
        object_type="subscription",
        now=now,
        events=[
            (
                member.seller_id,
                member.subscription_id,
                f'{{"profile_id":"{member.profile_id}","changes_at":"period_end"}}',
            )
            for member in members
        ],
    )


def _rhythm(price: PriceFacts) -> str:
    given = price.given
    return "none" if given.interval_unit is None else f"{given.interval_count} {given.interval_unit}"
