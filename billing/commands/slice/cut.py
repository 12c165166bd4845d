"""Cut due work into committed slices, each announced after commit."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from billing.kernel.ids import new_id
from billing.kernel.status import SliceStatus
from billing.models import Slice
from billing.queue.buffer import after_commit
from billing.queue.names import COLLECTIONS_CHARGE, RENEWALS_BILL

TASKS = {"renewals": RENEWALS_BILL, "charges": COLLECTIONS_CHARGE}


def cut(
    session: Session,
    *,
    kind: str,
    members: Sequence[UUID],
    size: int,
    subscriptions: Sequence[UUID] | None = None,
    parent: UUID | None = None,
) -> list[UUID]:
    """Write slices of at most `size` members and nudge a worker for each. Returns their ids."""
    rows = [
        {
            "id": new_id(),
            "kind": kind,
            "member_ids": list(members[start : start + size]),
            "subscription_ids": list(subscriptions) if subscriptions is not None else None,
            "parent_id": parent,
            "status": SliceStatus.PENDING,
        }
        for start in range(0, len(members), size)
    ]
    if rows:
        session.execute(insert(Slice), rows)
    for row in rows:
        after_commit(session, TASKS[kind], row["id"])
    return [row["id"] for row in rows]
