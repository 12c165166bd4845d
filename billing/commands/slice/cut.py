"""Cut due work into committed slices, each announced after commit."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.copy import id_array
from billing.db.rows import change
from billing.kernel.ids import new_ids
from billing.queue.buffer import after_commit
from billing.queue.names import COLLECTIONS_CHARGE, RENEWALS_BILL

TASKS = {"renewals": RENEWALS_BILL, "charges": COLLECTIONS_CHARGE}


_INSERT = """
    INSERT INTO billing.slice (id, kind, member_ids, subscription_ids, parent_id, provider_account_id, status, tries,
                               token, version)
    SELECT t.id, %(kind)s, t.members::uuid[], %(subscriptions)s::uuid[], %(parent)s::uuid, %(account)s::uuid, 'pending',
           0, 0, 1
    FROM unnest(%(ids)s::uuid[], %(members)s::text[]) AS t(id, members)
"""


def cut_charges(session: Session, *, invoices: Sequence[UUID]) -> None:
    """A slice for the charge of each invoice, in the order given."""
    for invoice_id in invoices:
        cut(session, kind="charges", members=[invoice_id], size=1)


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
        change(
            session,
            _INSERT,
            ids=ids,
            members=[id_array(portion) for portion in portions],
            kind=kind,
            subscriptions=list(subscriptions) if subscriptions is not None else None,
            parent=parent,
            account=account,
        )
    for id_ in ids:
        after_commit(session, TASKS[kind], id_)
    return ids
