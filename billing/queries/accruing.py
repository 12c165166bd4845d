"""What an accrual needs: subscriptions with usage before a month's end, and what of it waits for an invoice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.copy import id_array
from billing.db.rows import fetch
from billing.queries.usage import UsageWindow

LOOK_BACK = timedelta(days=400)
"""Older usage is invoiced, or will never be, but for that of a longer period that runs."""

# Paged by id, and locked, so that none of them is billed while its usage is counted, in the order of all who lock them.
_SUBSCRIPTIONS = """
    WITH page AS MATERIALIZED (
        SELECT s.id FROM billing.subscription s
        WHERE s.seller_id = %(seller)s AND s.id > %(after)s
          AND EXISTS (SELECT FROM billing.usage_record r
                      WHERE r.subscription_id = s.id AND r.counts_at >= least(%(since)s, s.current_period_start)
                        AND r.counts_at < %(end)s)
          AND NOT EXISTS (SELECT FROM billing.usage_accrual a WHERE a.subscription_id = s.id AND a.month = %(month)s)
        ORDER BY s.id LIMIT %(most)s
    )
    SELECT s.id, s.currency, p.country, p.has_tax_id, k.percent AS off_percent, k.duration AS off_duration,
           k.periods AS off_periods, s.coupon_used
    FROM page JOIN billing.subscription s ON s.id = page.id
    JOIN billing.profile p ON p.id = s.profile_id
    LEFT JOIN billing.coupon k ON k.id = s.coupon_id
    ORDER BY s.profile_id, s.code FOR SHARE OF s
"""

# What follows a period that is over and not billed yet, such as that of a subscription on hold, is taken as one.
_WINDOWS = """
    SELECT s.id AS subscription_id, i.price_id, p.usage AS kind,
           greatest(i.counts_from, s.current_period_start) AS start, least(s.current_period_end, %(end)s) AS stop
    FROM billing.subscription s
    JOIN billing.subscription_item i ON i.subscription_id = s.id
    JOIN billing.price p ON p.id = i.price_id AND p.usage IS NOT NULL
    WHERE s.id = ANY(CAST(%(ids)s AS uuid[])) AND s.status IN ('active', 'past_due', 'unpaid', 'paused')
    UNION ALL
    SELECT s.id, i.price_id, p.usage, greatest(i.counts_from, s.current_period_end), least(s.cancel_at, %(end)s)
    FROM billing.subscription s
    JOIN billing.subscription_item i ON i.subscription_id = s.id
    JOIN billing.price p ON p.id = i.price_id AND p.usage IS NOT NULL
    WHERE s.id = ANY(CAST(%(ids)s AS uuid[])) AND s.current_period_end < %(end)s
      AND s.status IN ('active', 'past_due', 'unpaid', 'paused', 'trialing')
    UNION ALL
    SELECT w.subscription_id, w.price_id, p.usage, w.counts_from, least(w.period_end, %(end)s)
    FROM billing.waiting_line w JOIN billing.price p ON p.id = w.price_id
    WHERE w.subscription_id = ANY(CAST(%(ids)s AS uuid[])) AND w.kind = 'usage'
"""

TOLD_SINCE = """
    i.issued_at >= %(end)s AND i.status NOT IN ('void', 'replaced') AND NOT EXISTS (
        WITH RECURSIVE chain AS (
            SELECT i.corrects_id AS id
            UNION ALL SELECT o.corrects_id FROM billing.invoice o JOIN chain c ON o.id = c.id
        )
        SELECT FROM billing.invoice o JOIN chain USING (id) WHERE o.issued_at < %(end)s)
"""
"""Of a document `i`: whether what it tells was first told after the end. A corrected one tells again what another told
before it, and that may have been before the end."""

# Lines that were told after the end, and those of drafts, which no window shows any more.
_ISSUED = f"""
    SELECT i.subscription_id, l.price_id, p.usage AS kind, l.quantity, r.net_minor, l.period_start, l.period_end
    FROM billing.invoice i
    JOIN billing.invoice_line l ON l.invoice_id = i.id AND l.kind = 'usage' AND l.period_start < %(end)s
    JOIN billing.price p ON p.id = l.price_id
    JOIN billing.revenue_schedule r ON r.id = l.id
    WHERE i.subscription_id = ANY(CAST(%(ids)s AS uuid[])) AND i.kind = 'invoice' AND {TOLD_SINCE}
    UNION ALL
    SELECT i.subscription_id, l.price_id, p.usage, l.quantity,
           round((l.amount_minor - l.discount_minor)
                 / CASE WHEN l.tax_inclusive THEN 1 + l.tax_percent / 100 ELSE 1 END)::bigint,
           l.period_start, l.period_end
    FROM billing.invoice i
    JOIN billing.invoice_line l ON l.invoice_id = i.id AND l.kind = 'usage' AND l.period_start < %(end)s
    JOIN billing.price p ON p.id = l.price_id
    WHERE i.subscription_id = ANY(CAST(%(ids)s AS uuid[])) AND i.status = 'draft'
"""  # noqa: S608 (our own words)


@dataclass(frozen=True, slots=True)
class Unbilled:
    """Windows that no invoice has told yet, and lines told after the end, those of drafts among them.

    `whose` tells by subscription its currency, its coupon, and where its customer is.
    """

    whose: dict[UUID, Any]
    windows: list[UsageWindow]
    issued: Sequence[Any]


def unbilled(
    session: Session, *, seller_id: UUID, month: date, end: datetime, after: UUID, most: int
) -> Unbilled | None:
    """Lock the next `most` subscriptions with usage before `end` and no accrual of the month; None: there is none."""
    values = {"seller": seller_id, "month": month, "end": end, "since": end - LOOK_BACK, "after": after, "most": most}
    rows = fetch(session, _SUBSCRIPTIONS, **values)
    if not rows:
        return None
    ids = id_array(row.id for row in rows)
    windows = [
        UsageWindow(row.subscription_id, row.price_id, row.kind, row.start, row.stop)
        for row in fetch(session, _WINDOWS, ids=ids, end=end)
        if row.start is not None and row.stop is not None and row.start < row.stop
    ]
    issued = fetch(session, _ISSUED, ids=ids, end=end)
    return Unbilled({row.id: row for row in rows}, windows, issued)


@dataclass(slots=True)
class Sum:
    """What one price of a subscription comes to."""

    quantity: Decimal = Decimal(0)
    amount_minor: int = 0
