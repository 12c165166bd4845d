"""The audit trail of one thing: who did what, and why."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from billing.queries.operations.paging import Facts, read_all

_TRAIL = """
SELECT happened_at, actor, action, reason, before, after FROM billing.audit_trail
WHERE subject_id = ANY(:ids) ORDER BY id
"""

_WORK = """
SELECT id, kind, status, summary, tries, seen_at FROM billing.work_item WHERE subject_id = ANY(:ids) ORDER BY id
"""


def trail_of(session: Session, ids: Sequence[UUID]) -> list[Facts]:
    """Every recorded action on these things, oldest first."""
    return read_all(session, _TRAIL, {"ids": list(ids)})


def work_about(session: Session, ids: Sequence[UUID]) -> list[Facts]:
    """Every work item about these things, oldest first, the closed ones too."""
    return read_all(session, _WORK, {"ids": list(ids)})
