"""Accept findings that are true and can't be undone: the audit goes on telling of them, and they are no violations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from billing.kernel.ids import new_id
from billing.kernel.work import WorkKind
from billing.models import AuditAcceptance, WorkItem
from billing.queries.acceptances import FindingKey


def accept_findings(
    session: Session, *, item: WorkItem, findings: Sequence[FindingKey], actor: str, reason: str, now: datetime
) -> list[AuditAcceptance]:
    """An acceptance for each of them at business time `now`. Nothing that they are about is touched.

    Whoever calls holds the item's lock, and hands over what is not in force yet.
    """
    rows = [
        AuditAcceptance(
            id=new_id(),
            seller_id=item.seller_id,
            code=each.code,
            subject_type=each.subject_type,
            subject_id=each.subject_id,
            detail=each.detail,
            witnessed=item.kind == WorkKind.WITNESS_DISAGREES,
            work_item_id=item.id,
            actor=actor,
            reason=reason,
            accepted_at=now,
        )
        for each in findings
    ]
    session.add_all(rows)
    session.flush()
    return rows
