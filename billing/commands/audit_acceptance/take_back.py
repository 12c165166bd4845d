"""Take an acceptance back: what it was about is a violation again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.models import AuditAcceptance


def take_back(session: Session, *, acceptance: AuditAcceptance, actor: str, reason: str, now: datetime) -> bool:
    """At business time `now`; False, and nothing done, where it is taken back already. The caller holds its lock."""
    if acceptance.taken_back_at is not None:
        return False
    acceptance.taken_back_at = now
    acceptance.taken_back_by = actor
    acceptance.taken_back_because = reason
    session.flush()
    return True
