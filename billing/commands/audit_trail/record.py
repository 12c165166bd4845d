"""Record a manual action in the audit trail, in the transaction of its effect."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.base import Json
from billing.kernel.ids import new_id
from billing.models import AuditRecord
from billing.validators.checks import Checks, shows

ENGINE = "billing"
"""The actor of what the engine does by itself."""


def require_who_and_why(actor: object, reason: object) -> None:
    """Raise `Refused` where one of them says nothing (`actor_missing`, `reason_missing`), or what can't or must not
    be kept (`control_character`, `card_number`), or is no text (`wrong_type`)."""
    checks = Checks()
    for field, said, mend in (("actor", actor, "say who does this"), ("reason", reason, "say why in a few words")):
        if said is None or (isinstance(said, str) and not shows(said)):
            checks.fault(field, f"{field}_missing", mend)
        elif not isinstance(said, str):
            checks.fault(field, "wrong_type", "give a text")
        else:
            checks.storable(field, said)
            checks.no_card_number(field, said)
    checks.done()


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

    Raises `Refused` as `require_who_and_why` does.
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
