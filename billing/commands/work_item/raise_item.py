"""Raise a work item, or count another occurrence on the live one of the same kind and subject."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.db.base import JsonList
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.ids import new_id
from billing.kernel.status import WorkItemStatus
from billing.kernel.work import WorkKind
from billing.models import WorkItem


def raise_item(
    session: Session,
    *,
    kind: WorkKind,
    subject_type: str,
    subject_id: UUID,
    summary: str,
    safe_actions: Sequence[str],
    now: datetime,
    seller_id: UUID | None = None,
    profile_id: UUID | None = None,
    amount_minor: int | None = None,
    currency: str | None = None,
    error: str | None = None,
    trace: str | None = None,
    next_try_at: datetime | None = None,
    findings: JsonList | None = None,
) -> WorkItem:
    """Upsert into the one live item of (kind, subject). Safe under races.

    A repeat raises `tries` and overwrites what is known (summary, amount, error, actions, next try); a parked item
    stays parked. `amount_minor` is the amount at stake in minor units of `currency`. `now` is business time.
    `error`, `trace` and `findings` (what an audit says of it) hold nothing personal and no secret.
    """
    known = {
        "summary": summary,
        "amount_minor": amount_minor,
        "currency": currency,
        "error": error,
        "trace": trace,
        "findings": findings,
        "next_try_at": next_try_at,
        "safe_actions": list(safe_actions),
        "seen_at": now,
    }
    upsert = (
        insert(WorkItem)
        .values(
            id=new_id(),
            seller_id=seller_id,
            kind=kind,
            subject_type=subject_type,
            subject_id=subject_id,
            profile_id=profile_id,
            status=WorkItemStatus.OPEN,
            tries=1,
            version=1,
            **known,
        )
        .on_conflict_do_update(
            index_elements=[WorkItem.kind, WorkItem.subject_id],
            index_where=text("status IN ('open', 'parked')"),
            set_={
                **known,
                "tries": WorkItem.tries + 1,
                "version": WorkItem.version + 1,
                "updated_at": func.clock_timestamp(),
            },
        )
        .returning(WorkItem)
    )
    item = session.scalars(upsert, execution_options={"populate_existing": True}).one()
    if item.tries == 1 and seller_id is not None:
        emit(
            session,
            topic=Topic.WORK_ITEM_OPENED,
            object_type="work_item",
            object_id=item.id,
            seller_id=seller_id,
            now=now,
            payload={"kind": kind, "subject_type": subject_type, "subject_id": str(subject_id)},
        )
    return item
