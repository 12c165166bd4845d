"""Close work items: by a person's decision, or because their cause is gone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from billing.db.rows import fetch
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.moves import require_move
from billing.kernel.status import LIVE_WORK, WorkItemStatus
from billing.models import WorkItem
from billing.queries.causes import SWEPT, cause_stands, gone_items


def close_item(session: Session, *, item: WorkItem, status: WorkItemStatus, now: datetime) -> None:
    """End `item` as resolved or discarded at business time `now`.

    Raises `Refused` (`work_item_move_not_allowed`) where it is closed already.
    """
    require_move(WorkItemStatus(item.status), status)
    item.status = status
    item.closed_at = now
    item.next_try_at = None
    session.flush()
    _tell(session, item, now)


def close_for(session: Session, *, kind: str, subject_id: UUID, now: datetime) -> bool:
    """Resolve the live item of (kind, subject), whose cause is gone. False, and nothing done, where none is live."""
    closing = (
        update(WorkItem)
        .where(WorkItem.kind == kind, WorkItem.subject_id == subject_id, WorkItem.status.in_(LIVE_WORK))
        .values(
            status=WorkItemStatus.RESOLVED,
            closed_at=now,
            next_try_at=None,
            version=WorkItem.version + 1,
            updated_at=func.clock_timestamp(),
        )
        .returning(WorkItem)
    )
    item = session.scalars(closing, execution_options={"populate_existing": True}).one_or_none()
    if item is None:
        return False
    _tell(session, item, now)
    return True


_LIVE_OF = """
    SELECT w.kind, w.subject_id FROM billing.work_item w
    JOIN unnest(%(kinds)s::text[], %(subjects)s::uuid[]) AS gone(kind, subject_id)
      ON w.kind = gone.kind AND w.subject_id = gone.subject_id
    WHERE w.status IN ('open', 'parked')
"""


def close_all_for(session: Session, gone: Sequence[tuple[str, UUID]], *, now: datetime) -> None:
    """The same for many (kind, subject): one statement where none is live, as is usual."""
    if not gone:
        return
    live = fetch(session, _LIVE_OF, kinds=[kind for kind, _ in gone], subjects=[subject for _, subject in gone])
    for row in sorted(live):
        close_for(session, kind=row.kind, subject_id=row.subject_id, now=now)


def close_gone(session: Session, *, now: datetime, most: int) -> int:
    """Resolve live items whose cause is gone, of the kinds that no flow closes itself. Returns their number."""
    closed = 0
    for kind in SWEPT:
        gone = (
            select(WorkItem)
            .where(WorkItem.id.in_(gone_items(session, kind=kind, now=now, most=most)))
            .order_by(WorkItem.id)
            .with_for_update(skip_locked=True)
        )
        for item in session.scalars(gone).all():
            # Asked once more under the lock: it may have happened again meanwhile.
            if item.status in LIVE_WORK and not cause_stands(session, item, now=now):
                close_item(session, item=item, status=WorkItemStatus.RESOLVED, now=now)
                closed += 1
    return closed


def _tell(session: Session, item: WorkItem, now: datetime) -> None:
    if item.seller_id is None:
        return
    emit(
        session,
        topic=Topic.WORK_ITEM_CLOSED,
        object_type="work_item",
        object_id=item.id,
        seller_id=item.seller_id,
        now=now,
        payload={"kind": item.kind, "status": item.status},
    )
