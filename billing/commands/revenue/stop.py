"""Stop: a subscription that ended owes nothing more, so what is still deferred of its lines is earned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.revenue.dates import midnight
from billing.db.copy import array

_STOP = text(
    f"""
    WITH stopped AS (
        SELECT r.id, r.seller_id, greatest((e.at AT TIME ZONE s.timezone)::date, r.starts_on) AS ends_on,
               greatest((CAST(:now AS timestamptz) AT TIME ZONE s.timezone)::date, r.issued_on) AS today, s.timezone
        FROM unnest(CAST(:ids AS uuid[]), CAST(:ats AS timestamptz[])) AS e(id, at)
        JOIN billing.invoice i ON i.subscription_id = e.id AND i.number IS NOT NULL
        JOIN billing.invoice_line l ON l.invoice_id = i.id
        JOIN billing.revenue_schedule r ON r.id = l.id
        JOIN billing.seller s ON s.id = r.seller_id
        WHERE r.next_at IS NOT NULL AND r.ends_on > greatest((e.at AT TIME ZONE s.timezone)::date, r.starts_on)
    )
    UPDATE billing.revenue_schedule r
    SET ends_on = t.ends_on, base_on = r.open_on, base_minor = r.recognised_minor,
        next_on = greatest(t.today, t.ends_on),
        next_at = CASE WHEN t.ends_on <= t.today THEN CAST(:now AS timestamptz)
                       ELSE {midnight("t.ends_on", "t.timezone")} END,
        version = r.version + 1, updated_at = clock_timestamp()
    FROM stopped t WHERE r.id = t.id AND r.seller_id = t.seller_id
    """  # noqa: S608 (our own expressions)
)


def stop_recognition(session: Session, ended: Sequence[tuple[UUID, datetime]], *, now: datetime) -> None:
    """Let the lines of these subscriptions end with them: (id, instant). What was credited is deferred no more."""
    if ended:
        ids, ats = zip(*ended, strict=True)
        session.execute(_STOP, {"ids": array(ids), "ats": array(ats), "now": now})
