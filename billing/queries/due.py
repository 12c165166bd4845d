"""What is due: found by time stored in rows, whatever message, tick or worker was lost."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.queries.brakes import BrakeKind, moves

_PROFILES = text(
    f"""
    SELECT s.profile_id
    FROM billing.subscription s
    WHERE s.next_due_at <= :now AND s.next_due_at IS NOT NULL AND s.hold_id IS NULL
      AND NOT EXISTS (SELECT FROM billing.profile p WHERE p.id = s.profile_id AND p.hold_id IS NOT NULL)
      AND s.profile_id NOT IN (
        SELECT unnest(member_ids) FROM billing.slice WHERE kind = 'renewals' AND status IN ('pending', 'running'))
      AND {moves(BrakeKind.ISSUE, "s")}
    GROUP BY s.profile_id
    ORDER BY min(s.next_due_at), s.profile_id
    LIMIT :most
    """  # noqa: S608 (our own words)
)


def profiles_to_renew(session: Session, *, now: datetime, most: int) -> list[UUID]:
    """Profiles with a due subscription that no hold, brake or live slice covers, longest due first.

    Reads the partial index on `next_due_at`: its cost follows what is due, not what exists.
    """
    return list(session.execute(_PROFILES, {"now": now, "most": most}).scalars())


_INVOICES = text(
    f"""
    SELECT i.id
    FROM billing.invoice i
    WHERE i.status IN ('open', 'draft') AND i.hold_id IS NULL
      AND i.next_attempt_at IS NOT NULL AND i.next_attempt_at <= :now
      AND (i.charge_not_before IS NULL OR i.charge_not_before <= clock_timestamp())
      AND NOT EXISTS (SELECT FROM billing.profile p WHERE p.id = i.profile_id AND p.hold_id IS NOT NULL)
      AND i.id NOT IN (
        SELECT unnest(member_ids) FROM billing.slice WHERE kind = 'charges' AND status IN ('pending', 'running'))
      AND {moves(BrakeKind.COLLECT, "i")}
    ORDER BY i.next_attempt_at, i.id
    LIMIT :most
    """  # noqa: S608 (our own words)
)


def invoices_to_charge(session: Session, *, now: datetime, most: int) -> list[UUID]:
    """Open invoices whose next try is due and that no hold, brake or live slice covers, longest due first."""
    return list(session.execute(_INVOICES, {"now": now, "most": most}).scalars())
