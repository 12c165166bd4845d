"""Park a work item: a person has seen it and it waits by decision; or take it up again."""

from __future__ import annotations

from sqlalchemy.orm import Session

from billing.kernel.moves import require_move
from billing.kernel.status import WorkItemStatus
from billing.models import WorkItem


def park_item(session: Session, *, item: WorkItem) -> None:
    """Set an open item aside. Raises `Refused` (`work_item_move_not_allowed`)."""
    _move(session, item, WorkItemStatus.PARKED)


def reopen_item(session: Session, *, item: WorkItem) -> None:
    """Take a parked item up again. Raises `Refused` (`work_item_move_not_allowed`)."""
    _move(session, item, WorkItemStatus.OPEN)


def _move(session: Session, item: WorkItem, status: WorkItemStatus) -> None:
    require_move(WorkItemStatus(item.status), status)
    item.status = status
    session.flush()
