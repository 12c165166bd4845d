"""What notes gave back of lines of drafts: it lowered revenue, since nothing was deferred of them yet."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session


class Noted(NamedTuple):
    """So much (minor units, without tax) of a line was given back; its service ends at `stops_at`, if that is known."""

    line_id: UUID
    amount_minor: int
    stops_at: datetime | None


_NOTED = text(
    """
    SELECT m.line_id, -sum(m.recognised_minor)::bigint AS amount_minor, min(c.period_start) AS stops_at
    FROM billing.revenue_movement m
    JOIN billing.ledger_entry e ON e.id = m.entry_id
    LEFT JOIN LATERAL (SELECT min(l.period_start) AS period_start FROM billing.invoice_line l
                       WHERE l.invoice_id = e.invoice_id AND l.credits_line_id = m.line_id) c ON true
    WHERE m.line_id = ANY(:lines)
    GROUP BY m.line_id ORDER BY m.line_id
    """
)


def noted_before(session: Session, lines: Collection[UUID]) -> dict[UUID, Noted]:
    """By line, of lines that are about to be issued."""
    if not lines:
        return {}
    return {row.line_id: Noted(*row) for row in session.execute(_NOTED, {"lines": list(lines)})}
