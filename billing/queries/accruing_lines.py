"""What an accrual of lines needs: those whose time began before a month's end, and which no document told by then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.copy import id_array
from billing.db.rows import fetch
from billing.queries.accruing import TOLD_SINCE

_KINDS = "('recurring', 'proration_charge', 'proration_credit')"
"""Lines that are revenue day by day. Usage is accrued by its price; what is charged once is earned when it is told."""

# A document of changes may come to less than nothing: then it is a note, and its lines have their signs turned. A draft
# without a review waits for its customer's first payment, and so does what it charges.
_DOCUMENTS = f"""
    FROM billing.invoice i
    JOIN billing.invoice_line l ON l.invoice_id = i.id AND l.kind IN {_KINDS} AND l.period_start < %(end)s
    WHERE i.seller_id = %(seller)s AND (i.kind = 'invoice' OR i.kind = 'credit_note' AND i.corrects_id IS NULL)
      AND l.amount_minor <> 0
"""
_WAITING = f"""
    FROM billing.waiting_line w
    WHERE w.seller_id = %(seller)s AND w.kind IN {_KINDS} AND w.period_start < %(end)s AND w.amount_minor <> 0
"""
_REVIEWED = "i.status = 'draft' AND i.review_until IS NOT NULL"

# Paged by id, and locked in the order of all who lock them, so that none of them is billed or changed meanwhile.
_SUBSCRIPTIONS = f"""
    WITH page AS MATERIALIZED (
        SELECT DISTINCT c.id FROM (
            SELECT w.subscription_id AS id {_WAITING}
            UNION ALL
            SELECT i.subscription_id {_DOCUMENTS} AND {_REVIEWED}
            UNION ALL
            SELECT i.subscription_id {_DOCUMENTS}
              AND i.id IN (SELECT e.invoice_id FROM billing.ledger_entry e
                           WHERE e.seller_id = %(seller)s AND e.kind = 'issue' AND e.booked_on >= %(first_after)s)
              AND {TOLD_SINCE}) c
        WHERE c.id > %(after)s
          AND NOT EXISTS (SELECT FROM billing.line_accrual a WHERE a.subscription_id = c.id AND a.month = %(month)s)
        ORDER BY c.id LIMIT %(most)s
    )
    SELECT s.id, s.currency FROM page JOIN billing.subscription s ON s.id = page.id
    ORDER BY s.profile_id, s.code FOR SHARE OF s
"""  # noqa: S608 (our own words)

# One statement, so that a draft that is being issued is seen once. What a credited line had deferred at the end is what
# its entries of the month and before left of it; `due` says that recognition has still to come to the month's end.
_LINES = f"""
    WITH line AS (
        SELECT w.id, w.subscription_id, w.price_id, w.amount_minor, NULL::bigint AS net_minor, w.tax_percent,
               w.tax_inclusive, w.tax_code, w.period_start, w.period_end, w.credits_line_id,
               NOT w.credits_issued AS in_base
        {_WAITING} AND w.subscription_id = ANY(CAST(%(ids)s AS uuid[]))
        UNION ALL
        SELECT l.id, i.subscription_id, l.price_id,
               (l.amount_minor - l.discount_minor) * CASE i.kind WHEN 'invoice' THEN 1 ELSE -1 END,
               (SELECT r.net_minor FROM billing.revenue_schedule r WHERE r.id = l.id), l.tax_percent, l.tax_inclusive,
               l.tax_code, l.period_start, l.period_end, l.credits_line_id, false
        {_DOCUMENTS} AND i.subscription_id = ANY(CAST(%(ids)s AS uuid[])) AND ({_REVIEWED} OR {TOLD_SINCE})
    )
    SELECT line.*, p.country, p.has_tax_id, k.percent AS off_percent, k.duration AS off_duration,
           k.periods AS off_periods, s.coupon_used,
           EXISTS (SELECT FROM billing.revenue_movement m JOIN billing.ledger_entry e ON e.id = m.entry_id
                   WHERE m.line_id = line.id AND e.booked_on < %(first_after)s) AS noted,
           r.net_minor + (SELECT coalesce(sum(m.deferred_minor), 0)
                          FROM billing.revenue_movement m JOIN billing.ledger_entry e ON e.id = m.entry_id
                          WHERE m.line_id = r.id AND e.booked_on < %(first_after)s)::bigint AS deferred_minor,
           r.next_on < %(first_after)s AS due, r.net_minor - r.credited_minor AS total_minor, r.recognised_minor,
           r.base_on, r.base_minor, r.ends_on
    FROM line
    JOIN billing.subscription s ON s.id = line.subscription_id
    JOIN billing.profile p ON p.id = s.profile_id
    LEFT JOIN billing.coupon k ON k.id = s.coupon_id
    LEFT JOIN billing.revenue_schedule r ON r.id = line.credits_line_id AND r.issued_on < %(first_after)s
    ORDER BY line.id
"""  # noqa: S608 (our own words)


@dataclass(frozen=True, slots=True)
class Untold:
    """Of some subscriptions (id → currency): lines that wait, those of drafts, and those told after the month's end."""

    currencies: dict[UUID, str]
    lines: Sequence[Any]


def untold(
    session: Session, *, seller_id: UUID, month: date, first_after: date, end: datetime, after: UUID, most: int
) -> Untold | None:
    """Lock the next `most` subscriptions with such lines and no accrual of them in the month; None: there is none."""
    values = {"seller": seller_id, "first_after": first_after, "end": end}
    rows = fetch(session, _SUBSCRIPTIONS, month=month, after=after, most=most, **values)
    if not rows:
        return None
    lines = fetch(session, _LINES, ids=id_array(row.id for row in rows), **values)
    return Untold({row.id: row.currency for row in rows}, lines)
