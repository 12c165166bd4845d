"""Payment methods as the API shows them."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.queries.api.reading import Slice, page_by_id
from billing.queries.operations.paging import Facts, read_all

_COLUMNS = """
SELECT m.id, m.profile_id, m.kind, m.status, m.is_default, m.brand, m.last4, m.exp_month, m.exp_year, m.wallet,
       m.consent_at, m.created_at, m.version
FROM billing.payment_method m
"""
_PAGE = """
WHERE m.profile_id = :profile AND m.seller_id = :seller AND (CAST(:after AS uuid) IS NULL OR m.id < :after)
  AND (m.status <> 'pending' OR m.given_ref IS NULL)
ORDER BY m.id DESC LIMIT :limit
"""


def the_method(session: Session, seller_id: UUID, id_: UUID) -> Facts | None:
    """One of this seller's; None where it is none."""
    statement = f"{_COLUMNS} WHERE m.id = :id AND m.seller_id = :seller"
    return next(iter(read_all(session, statement, {"seller": seller_id, "id": id_})), None)


def payment_methods(session: Session, seller_id: UUID, *, profile_id: UUID, after: str | None, limit: int) -> Slice:
    """A customer's, newest first. One that is just being taken over is none yet: who asked for it has no answer."""
    values = {"seller": seller_id, "profile": profile_id}
    return page_by_id(session, f"{_COLUMNS} {_PAGE}", values, after=after, limit=limit)
