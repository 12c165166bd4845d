"""Blank the bodies of provider events that were handled, or given up, long ago: id, type, object, hash, times stay."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

_BLANK = """
    UPDATE billing.provider_event SET body = NULL, version = version + 1, updated_at = clock_timestamp()
    WHERE id = ANY(ARRAY(
        SELECT e.id FROM billing.provider_event e
        WHERE e.body IS NOT NULL AND {} AND e.handled_at < :before
        ORDER BY e.handled_at LIMIT :most FOR NO KEY UPDATE SKIP LOCKED))
"""
_HANDLED = text(_BLANK.format("e.status IN ('processed', 'ignored')"))
_GIVEN_UP = text(
    _BLANK.format(
        """e.status = 'dead' AND NOT EXISTS (
            SELECT FROM billing.work_item w WHERE w.subject_id = e.id AND w.status IN ('open', 'parked'))"""
    )
)


def blank_bodies(session: Session, *, before: datetime, most: int) -> int:
    """Of events handled before that business time. Returns how many.

    One that waits keeps its body; one that is dead as long as its work item is open or parked.
    """
    done = 0
    for statement in (_HANDLED, _GIVEN_UP):
        blanked = session.execute(statement, {"before": before, "most": most - done})
        done += int(blanked.rowcount)  # type: ignore[attr-defined]
    return done
