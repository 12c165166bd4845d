"""Work items as operators see them: what, for whom, how much is at stake, what went wrong, and what may be done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.kernel.findings import findings_digest
from billing.kernel.status import LIVE_WORK
from billing.models import WorkItem
from billing.queries.operations.paging import Facts, Page, read_all, read_page

MOST = 100_000
"""Live items are counted up to so many, so that what asks every few seconds costs the same however many there are."""

_COLUMNS = """
w.id, w.kind, w.status, w.summary, w.subject_type, w.subject_id, p.account_id, s.code AS seller, w.amount_minor,
w.currency, w.error, w.tries, w.next_try_at, w.safe_actions, w.seen_at, w.created_at, w.closed_at
"""

_FROM = """
FROM billing.work_item w
LEFT JOIN billing.profile p ON p.id = w.profile_id
LEFT JOIN billing.seller s ON s.id = w.seller_id
"""

# strpos() and lower(): what is looked for is a text, not a pattern.
_WHERE = """
WHERE w.status = ANY(:statuses)
  AND (CAST(:kind AS text) IS NULL OR w.kind = :kind)
  AND (CAST(:since AS timestamptz) IS NULL OR w.seen_at >= :since)
  AND (CAST(:error AS text) IS NULL OR strpos(lower(w.error), lower(:error)) > 0)
  AND (CAST(:customer AS text) IS NULL OR p.account_id = :customer)
  AND (CAST(:before AS uuid) IS NULL OR w.id < :before)
"""

_LIST = f"SELECT {_COLUMNS} {_FROM} {_WHERE} ORDER BY w.id DESC LIMIT :limit"
_ONE = f"SELECT {_COLUMNS}, w.findings, w.trace, w.version {_FROM} WHERE w.id = :id"

_OPEN_BY_KIND = """
SELECT kind, status, count(*) AS items
FROM (SELECT kind, status FROM billing.work_item WHERE status IN ('open', 'parked') LIMIT :most) AS live
GROUP BY kind, status ORDER BY kind, status
"""


@dataclass(frozen=True, slots=True)
class WorkFilter:
    """Which work items. `statuses` empty: the live ones, open and parked."""

    statuses: tuple[str, ...] = ()
    kind: str | None = None
    since: datetime | None = None
    """Last seen at or after this business time."""
    error: str | None = None
    """A part of the error's text, in any case."""
    customer: str | None = None
    """The account of the host application."""


def list_work(session: Session, wanted: WorkFilter, *, before: UUID | None = None, limit: int = 50) -> Page:
    """Work items that the filter lets through."""
    values = {
        "statuses": list(wanted.statuses or LIVE_WORK),
        "kind": wanted.kind,
        "since": wanted.since,
        "error": wanted.error,
        "customer": wanted.customer,
        "before": before,
    }
    return read_page(session, _LIST, values, limit=limit)


def show_work(session: Session, item_id: UUID) -> Facts:
    """One work item with its trace. Raises `Refused` (`work_item_not_found`)."""
    found = read_all(session, _ONE, {"id": item_id})
    if not found:
        raise Refused(Fault("work_item", "work_item_not_found", "give an id of `billing work list`"))
    return found[0]


def digests_of(session: Session, items: Iterable[UUID]) -> dict[UUID, str]:
    """Of each of them, the digest of what an audit says now; of other work that of nothing."""
    wanted = select(WorkItem.id, WorkItem.findings).where(WorkItem.id.in_(items))
    return {id_: findings_digest(findings or []) for id_, findings in session.execute(wanted)}


def lock_item(session: Session, item_id: UUID) -> WorkItem:
    """As it is now, locked; whoever holds the row already sees that too."""
    wanted = select(WorkItem).where(WorkItem.id == item_id).with_for_update(key_share=True)
    return session.scalars(wanted, execution_options={"populate_existing": True}).one()


def count_open_work(session: Session) -> list[Facts]:
    """How many live items there are of each kind and status, counted up to `MOST` in all."""
    return read_all(session, _OPEN_BY_KIND, {"most": MOST})
