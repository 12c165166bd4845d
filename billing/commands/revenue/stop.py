"""Stop: a subscription that ended owes nothing more, so what is still deferred of its lines is earned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.revenue.dates import cut
from billing.db.copy import array, instants
from billing.kernel.period import midnight, zone_info

_LOCK = text(
    """
    SELECT r.id, r.starts_on, r.ends_on, r.issued_on, e.at, s.timezone
    FROM unnest(CAST(:ids AS uuid[]), CAST(:ats AS timestamptz[])) AS e(id, at)
    JOIN billing.invoice i ON i.subscription_id = e.id AND i.number IS NOT NULL
    JOIN billing.invoice_line l ON l.invoice_id = i.id
    JOIN billing.revenue_schedule r ON r.id = l.id
    JOIN billing.seller s ON s.id = r.seller_id
    WHERE r.next_at IS NOT NULL
    ORDER BY r.id FOR UPDATE OF r
    """
)

_STOP = text(
    f"""
    UPDATE billing.revenue_schedule r
    SET ends_on = t.ends_on, cuts = {cut("t.today")}, base_on = r.open_on, base_minor = r.recognised_minor,
        next_on = t.next_on, next_at = t.next_at, version = r.version + 1, updated_at = clock_timestamp()
    FROM unnest(CAST(:ids AS uuid[]), CAST(:ends AS date[]), CAST(:todays AS date[]), CAST(:days AS date[]),
                CAST(:ats AS timestamptz[])) AS t(id, ends_on, today, next_on, next_at)
    WHERE r.id = t.id
    """  # noqa: S608 (our own expression)
)


def stop_recognition(session: Session, ended: Sequence[tuple[UUID, datetime]], *, now: datetime) -> None:
    """Let the lines of these subscriptions end with them: (id, instant). What was credited is deferred no more."""
    if not ended:
        return
    ids, ats = zip(*ended, strict=True)
    rows = session.execute(_LOCK, {"ids": array(ids), "ats": array(ats)}).all()
    stopped = [(row.id, *_end(row, ends_on, now)) for row in rows if (ends_on := _ends_on(row)) < row.ends_on]
    if stopped:
        lines, ends, todays, days, nexts = zip(*stopped, strict=True)
        values = {
            "ids": array(lines),
            "ends": array(ends),
            "todays": array(todays),
            "days": array(days),
            "ats": instants(nexts),
        }
        session.execute(_STOP, values)


def _ends_on(row: Any) -> date:
    """The date of the end, in the seller's zone; no line ends before it begins."""
    end: date = max(_day(row.at, row.timezone), row.starts_on)
    return end


def _end(row: Any, ends_on: date, now: datetime) -> tuple[date, date, date, datetime]:
    """Where the line ends now, which day it is, up to which day the rest counts, and when it is booked."""
    today = max(_day(now, row.timezone), row.issued_on)
    return ends_on, today, max(today, ends_on), now if ends_on <= today else midnight(ends_on, row.timezone)


def _day(at: datetime, zone: str) -> date:
    return at.astimezone(zone_info(zone)).date()
