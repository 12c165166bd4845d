"""Cut due work into committed slices, each announced after commit."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from billing.kernel.ids import new_ids
from billing.kernel.status import SliceStatus
from billing.models import Slice
from billing.queue.buffer import after_commit
from billing.queue.names import COLLECTIONS_CHARGE, RENEWALS_BILL

TASKS = {"renewals": RENEWALS_BILL, "charges": COLLECTIONS_CHARGE}


def cut_each(session: Session, *, kind: str, members: Sequence[UUID]) -> None:
    """A slice for each member, in the order given."""
    for member in members:
        cut(session, kind=kind, members=[member], size=1)


def cut(
    session: Session,
    *,
    kind: str,
    members: Sequence[UUID],
    size: int,
    subscriptions: Sequence[UUID] | None = None,
    parent: UUID | None = None,
    account: UUID | None = None,
) -> list[UUID]:
    """Write slices of at most `size` members and nudge a worker for each. Returns their ids.

    `account`: the provider account whose calls they need.
    """
    portions = [list(members[start : start + size]) for start in range(0, len(members), size)]
    ids = new_ids(len(portions))
    if ids:
        session.execute(
            insert(Slice),
            [
                {
                    "id": id_,
                    "kind": kind,
                    "member_ids": portion,
                    "subscription_ids": list(subscriptions) if subscriptions is not None else None,
                    "parent_id": parent,
                    "provider_account_id": account,
                    "status": SliceStatus.PENDING,
                }
                for id_, portion in zip(ids, portions, strict=True)
            ],
        )
    for id_ in ids:
        after_commit(session, TASKS[kind], id_)
    return ids
