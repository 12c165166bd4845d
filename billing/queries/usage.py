"""Reads of usage: what was recorded in many windows of time, in one statement."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.copy import array, id_array, instants
from billing.db.rows import fetch

_NOTHING = Decimal(0)


class UsageWindow(NamedTuple):
    """Records of one metered item that count in [start, end)."""

    subscription_id: UUID
    price_id: UUID
    kind: str
    start: datetime
    end: datetime


class Used(NamedTuple):
    """What a window comes to. `late` is the part of a sum that was stamped in a period invoiced before it came."""

    quantity: Decimal
    late: Decimal = _NOTHING


_COUNTED = """
        billing.usage_record r
        WHERE r.subscription_id = w.subscription_id AND r.price_id = w.price_id
          AND r.counts_at >= w.starts AND r.counts_at < w.ends
          AND (p.paused IS NULL OR NOT p.paused @> r.used_at)
"""

# Pauses are read once for all windows, and looked at where there are any; each kind reads only what it counts.
_QUANTITIES = f"""
    SELECT CASE w.kind
               WHEN 'sum' THEN u.total
               WHEN 'max' THEN coalesce((SELECT max(r.quantity) FROM {_COUNTED}), 0)
               ELSE coalesce((SELECT r.quantity FROM {_COUNTED} ORDER BY r.used_at DESC, r.id DESC LIMIT 1), 0)
           END AS quantity, u.late
    FROM unnest(CAST(%(subscriptions)s AS uuid[]), CAST(%(prices)s AS uuid[]), CAST(%(kinds)s AS text[]),
                CAST(%(starts)s AS timestamptz[]), CAST(%(ends)s AS timestamptz[]))
         WITH ORDINALITY AS w(subscription_id, price_id, kind, starts, ends, place)
    LEFT JOIN (
        SELECT subscription_id, range_agg(tstzrange(starts_at, ends_at)) AS paused
        FROM billing.subscription_pause WHERE subscription_id = ANY(CAST(%(subscriptions)s AS uuid[]))
        GROUP BY subscription_id
    ) AS p USING (subscription_id)
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(r.quantity), 0) AS total,
               coalesce(sum(r.quantity) FILTER (WHERE r.used_at < w.starts), 0) AS late
        FROM {_COUNTED} AND w.kind = 'sum'
    ) AS u
    ORDER BY w.place
"""  # noqa: S608 (our own words)


def usage_quantities(session: Session, windows: Sequence[UsageWindow]) -> dict[UsageWindow, Used]:
    """The quantity of each window: the sum, the highest, or the latest record; 0 without one.

    What is stamped in a pause does not count, also where the pause began after the record came, at the same moment.
    """
    if not windows:
        return {}
    rows = fetch(
        session,
        _QUANTITIES,
        subscriptions=id_array(window.subscription_id for window in windows),
        prices=id_array(window.price_id for window in windows),
        kinds=array(window.kind for window in windows),
        starts=instants(window.start for window in windows),
        ends=instants(window.end for window in windows),
    )
    return {window: Used(row.quantity, row.late) for window, row in zip(windows, rows, strict=True)}


_USED_AFTER = """
    SELECT FROM billing.usage_record
    WHERE subscription_id = %(subscription)s AND price_id = ANY(CAST(%(prices)s AS uuid[])) AND counts_at > %(at)s
    LIMIT 1
"""


def used_after(session: Session, subscription_id: UUID, *, prices: Collection[UUID], at: datetime) -> bool:
    """Whether something that counts was recorded of these prices after `at`."""
    found = fetch(session, _USED_AFTER, subscription=subscription_id, prices=id_array(prices), at=at)
    return bool(found)
