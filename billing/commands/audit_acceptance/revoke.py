"""Revoke an acceptance: what it was about is a violation again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.models import AuditAcceptance


def revoke(session: Session, *, acceptance: AuditAcceptance, actor: str, reason: str, now: datetime) -> bool:
    """At business time `now`; False, and nothing done, where it is revoked already. The caller holds its lock."""
    if acceptance.revoked_at is not None:
        return False
    acceptance.revoked_at = now
    acceptance.revoked_by = actor
    acceptance.revoked_because = reason
    session.flush()
    return True
