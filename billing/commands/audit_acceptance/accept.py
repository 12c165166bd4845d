"""Accept findings that are true and can't be undone: the audit goes on telling of them, and they are no violations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.kernel.ids import new_id
from billing.kernel.work import WorkKind
from billing.models import AuditAcceptance, WorkItem
from billing.queries.acceptances import FindingKey

_FINDING = ("code", "subject_type", "subject_id", text("md5(detail)"))
"""By which one is in force once."""


def accept_findings(
    session: Session, *, item: WorkItem, findings: Sequence[FindingKey], actor: str, reason: str, now: datetime
) -> None:
    """An acceptance for each of them at business time `now`. Nothing that they are about is touched.

    Whoever calls holds the item's lock. What is in force already stays as it was accepted: an item of another kind may
    tell of the same, and be accepted at the same instant.
    """
    rows = [
        {
            "id": new_id(),
            "seller_id": item.seller_id,
            **asdict(each),
            "witnessed": item.kind == WorkKind.WITNESS_DISAGREES,
            "work_item_id": item.id,
            "actor": actor,
            "reason": reason,
            "accepted_at": now,
        }
        # In one order, whatever the item's: two who accept the same wait for each other, never both.
        for each in sorted(findings, key=astuple)
    ]
    if not rows:
        return
    made = insert(AuditAcceptance).values(rows)
    once = made.on_conflict_do_nothing(index_elements=_FINDING, index_where=text("revoked_at IS NULL"))
    session.execute(once)
