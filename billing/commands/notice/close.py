"""What became of a notice's mail: sent, put off, dropped, failed. Each by its token, so that nobody writes twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.work_item.close import close_for
from billing.commands.work_item.raise_item import raise_item
from billing.kernel.errors import Stale
from billing.kernel.moves import require_move
from billing.kernel.status import NoticeStatus
from billing.kernel.work import WorkKind
from billing.models import Notice

NOTICE_NOT_SENT = WorkKind.NOTICE_NOT_SENT
"""Kind of the work item of a mail that was given up."""


def close_notice(
    session: Session,
    *,
    notice_id: UUID,
    token: int,
    status: NoticeStatus,
    now: datetime,
    wall: datetime,
    reason: str | None = None,
) -> None:
    """End a waiting notice; one that failed for good becomes a work item. Raises `Stale` where others have it."""
    notice = _held(session, notice_id, token)
    require_move(NoticeStatus(notice.status), status)
    notice.status, notice.reason = status, reason
    notice.next_try_at, notice.closed_at = None, wall
    session.flush()
    if status is NoticeStatus.FAILED:
        raise_item(
            session,
            kind=NOTICE_NOT_SENT,
            subject_type="notice",
            subject_id=notice.id,
            seller_id=notice.seller_id,
            profile_id=notice.profile_id,
            summary=f"A mail to the customer ({notice.kind}) could not be delivered.",
            error=reason,
            safe_actions=["retry", "park", "discard"],
            now=now,
        )
    elif notice.tries > 1:
        close_for(session, kind=NOTICE_NOT_SENT, subject_id=notice.id, now=now)


def put_off(session: Session, *, notice_id: UUID, token: int, reason: str, wall: datetime, pause_s: float) -> None:
    """Try again after `pause_s` (wall seconds). Raises `Stale` where others have it."""
    notice = _held(session, notice_id, token)
    notice.reason = reason
    notice.next_try_at = wall + timedelta(seconds=pause_s)
    session.flush()


def send_again(session: Session, *, notice_id: UUID) -> bool:
    """Make a failed notice wait again, due at once; False where it is not failed."""
    notice = session.get_one(Notice, notice_id, with_for_update=True, populate_existing=True)
    if notice.status != NoticeStatus.FAILED:
        return False
    require_move(NoticeStatus(notice.status), NoticeStatus.WAITING)
    notice.status, notice.tries, notice.closed_at = NoticeStatus.WAITING, 1, None
    notice.next_try_at = notice.updated_at
    session.flush()
    return True


def _held(session: Session, notice_id: UUID, token: int) -> Notice:
    notice = session.get_one(Notice, notice_id, with_for_update=True, populate_existing=True)
    if notice.token != token or notice.status != NoticeStatus.WAITING:
        raise Stale("the notice is in other hands")
    return notice
