"""Accepted findings as the API shows them: those that concern the seller."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.queries.acceptances import COLUMNS, IN_STATE
from billing.queries.api.reading import Slice, page_by_id
from billing.queries.operations.paging import Facts, read_all

_PAGE = f"""
{COLUMNS}
WHERE a.seller_id = :seller AND {IN_STATE}
  AND (CAST(:after AS uuid) IS NULL OR a.id < :after)
ORDER BY a.id DESC LIMIT :limit
"""


def the_acceptance(session: Session, seller_id: UUID, id_: UUID) -> Facts | None:
    """One of this seller's; None where it is none."""
    statement = f"{COLUMNS} WHERE a.id = :id AND a.seller_id = :seller"
    return next(iter(read_all(session, statement, {"seller": seller_id, "id": id_})), None)


def acceptances(session: Session, seller_id: UUID, *, state: str | None, after: str | None, limit: int) -> Slice:
    """A page of them, newest first."""
    return page_by_id(session, _PAGE, {"seller": seller_id, "state": state}, after=after, limit=limit)
