"""What placing usage needs of the subscriptions that it names: locked against being billed meanwhile, read set-wise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.copy import array
from billing.db.rows import fetch


@dataclass(frozen=True, slots=True)
class MeteredItem:
    """A metered price of a subscription. `waits_from` is the first moment of usage of it that waits to be told."""

    price_id: UUID
    kind: str
    counts_from: datetime
    waits_from: datetime | None


RecordKey = tuple[UUID, str]
"""(subscription, record id): unique."""


class Told(NamedTuple):
    """What a record says."""

    price: str
    quantity: Decimal
    used_at: datetime


@dataclass(frozen=True, slots=True)
class Meters:
    """By subscription code; rows have the columns of their table."""

    subscriptions: Mapping[str, Any]
    items: Mapping[tuple[UUID, str], MeteredItem]
    """By (subscription, price code)."""
    pauses: Mapping[UUID, Sequence[tuple[datetime, datetime | None]]]
    past: Mapping[tuple[UUID, UUID], Sequence[tuple[datetime, datetime]]]
    """By (subscription, price): when an item was there before, in the running period."""
    known: Mapping[RecordKey, Told]
    """What is recorded already."""


# In the order in which billing locks them, so that the two never wait for each other.
_SUBSCRIPTIONS = """
    SELECT id, seller_id, code, status, started_at, trial_end, paid_through, current_period_start
    FROM billing.subscription
    WHERE seller_id = %(seller)s AND code = ANY(CAST(%(codes)s AS text[]))
    ORDER BY profile_id, code
    FOR SHARE
"""

_ITEMS = """
    SELECT i.subscription_id, p.code, i.price_id, p.usage AS kind, i.counts_from, w.waits_from
    FROM billing.subscription_item i
    JOIN billing.price p ON p.id = i.price_id
    LEFT JOIN LATERAL (
        SELECT min(l.counts_from) AS waits_from FROM billing.waiting_line l
        WHERE l.subscription_id = i.subscription_id AND l.price_id = i.price_id AND l.kind = 'usage'
    ) AS w ON TRUE
    WHERE i.subscription_id = ANY(CAST(%(subscriptions)s AS uuid[])) AND p.usage IS NOT NULL
"""

_PAUSES = """
    SELECT subscription_id, starts_at, ends_at FROM billing.subscription_pause
    WHERE subscription_id = ANY(CAST(%(subscriptions)s AS uuid[]))
"""

_PAST = """
    SELECT i.subscription_id, i.price_id, i.counts_from, i.ended_at
    FROM billing.past_item i JOIN billing.subscription s ON s.id = i.subscription_id
    WHERE i.subscription_id = ANY(CAST(%(subscriptions)s AS uuid[])) AND i.ended_at > s.current_period_start
"""

_KNOWN = """
    SELECT r.subscription_id, r.record_id, p.code, r.quantity, r.used_at
    FROM unnest(CAST(%(subscriptions)s AS uuid[]), CAST(%(records)s AS text[])) AS given(subscription_id, record_id)
    JOIN billing.usage_record r USING (subscription_id, record_id)
    JOIN billing.price p ON p.id = r.price_id
"""


def load_meters(
    session: Session, *, seller_id: UUID, codes: Collection[str], records: Sequence[tuple[str, str]]
) -> Meters:
    """Lock the subscriptions of these codes in share mode and read the rest. `records`: (subscription code, id)."""
    found = {row.code: row for row in fetch(session, _SUBSCRIPTIONS, seller=seller_id, codes=list(codes))}
    ids = array(row.id for row in found.values())
    pauses: dict[UUID, list[tuple[datetime, datetime | None]]] = defaultdict(list)
    for row in fetch(session, _PAUSES, subscriptions=ids):
        pauses[row.subscription_id].append((row.starts_at, row.ends_at))
    past: dict[tuple[UUID, UUID], list[tuple[datetime, datetime]]] = defaultdict(list)
    for row in fetch(session, _PAST, subscriptions=ids):
        past[row.subscription_id, row.price_id].append((row.counts_from, row.ended_at))
    named = [(found[code].id, record_id) for code, record_id in records if code in found]
    return Meters(
        subscriptions=found,
        items={
            (row.subscription_id, row.code): MeteredItem(row.price_id, row.kind, row.counts_from, row.waits_from)
            for row in fetch(session, _ITEMS, subscriptions=ids)
        },
        pauses=pauses,
        past=past,
        known=known_records(session, named),
    )


def known_records(session: Session, keys: Sequence[RecordKey]) -> dict[RecordKey, Told]:
    """Which of these are recorded, and what they say; one statement."""
    ids, names = [id_ for id_, _ in keys], [record_id for _, record_id in keys]
    found = fetch(session, _KNOWN, subscriptions=ids, records=names)
    return {(row.subscription_id, row.record_id): Told(row.code, row.quantity, row.used_at) for row in found}
