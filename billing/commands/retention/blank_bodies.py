"""Blank the bodies of provider events that were handled long ago: id, type, object, hash and times stay."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

_BLANK = text(
    """
    UPDATE billing.provider_event SET body = NULL, version = version + 1, updated_at = clock_timestamp()
    WHERE id = ANY(ARRAY(
        SELECT id FROM billing.provider_event
        WHERE body IS NOT NULL AND status IN ('processed', 'ignored') AND handled_at < :before
        ORDER BY handled_at LIMIT :most FOR NO KEY UPDATE SKIP LOCKED))
    """
)


def blank_bodies(session: Session, *, before: datetime, most: int) -> int:
    """Of events handled before that business time. Returns how many. One that is dead or waits keeps its body."""
    return int(session.execute(_BLANK, {"before": before, "most": most}).rowcount)  # type: ignore[attr-defined]
