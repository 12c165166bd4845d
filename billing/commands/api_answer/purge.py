"""Forget answers whose day is over, in small batches."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.api_answer.claim import LIFE_H
from billing.db.clock import wall_now
from billing.kernel.ids import lowest_id_at

_PURGE = text(
    """
    DELETE FROM billing.api_answer
    WHERE id = ANY(ARRAY(SELECT id FROM billing.api_answer WHERE id < :bound ORDER BY id LIMIT :most))
    """
)


def purge_answers(session: Session, *, most: int) -> int:
    """Delete at most so many, oldest first. Returns how many; 0 once nothing is left."""
    # An hour more: ids are made by the clocks of processes, lives are measured by the database's.
    bound = lowest_id_at(wall_now(session) - timedelta(hours=LIFE_H + 1))
    return int(session.execute(_PURGE, {"bound": bound, "most": most}).rowcount)  # type: ignore[attr-defined]
