"""Record a manual action in the audit trail, in the transaction of its effect."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.base import Json
from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_id
from billing.models import AuditRecord


def require_who_and_why(actor: str, reason: str) -> None:
    """Raise `Refused` (`actor_missing`, `reason_missing`) where one of them says nothing."""
    faults = []
    if not actor.strip():
        faults.append(Fault("actor", "actor_missing", "say who does this"))
    if not reason.strip():
        faults.append(Fault("reason", "reason_missing", "say why in a few words"))
    if faults:
        raise Refused(faults)


def record(
    session: Session,
    *,
    actor: str,
    action: str,
    reason: str,
    subject_type: str,
    subject_id: UUID,
    now: datetime,
    seller_id: UUID | None = None,
    before: Json | None = None,
    after: Json | None = None,
) -> AuditRecord:
    """Write who did what and why, at business time `now`. `before` and `after` hold nothing personal.

    Raises `Refused` (`actor_missing`, `reason_missing`).
    """
    require_who_and_why(actor, reason)
    row = AuditRecord(
        id=new_id(),
        seller_id=seller_id,
        actor=actor,
        action=action,
        reason=reason,
        subject_type=subject_type,
        subject_id=subject_id,
        happened_at=now,
        before=before,
        after=after,
    )
    session.add(row)
    session.flush()
    return row
