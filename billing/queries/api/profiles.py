"""Customers as the API shows them."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.queries.api.reading import Slice, page_by
from billing.queries.operations.paging import Facts, read_all

_COLUMNS = """
p.id, p.account_id, p.country, p.timezone, p.buyer_kind, p.has_tax_id, p.hold_id IS NOT NULL AS on_hold, p.erased_at,
p.created_at, p.version
"""
_ONE = f"SELECT {_COLUMNS} FROM billing.profile p WHERE p.id = :id AND p.seller_id = :seller"  # noqa: S608 (our own words)
_LIST = f"""
SELECT {_COLUMNS} FROM billing.profile p
WHERE p.seller_id = :seller AND (CAST(:account AS text) IS NULL OR p.account_id = :account)
  AND (CAST(:after AS text) IS NULL OR p.account_id > :after)
ORDER BY p.account_id LIMIT :limit
"""  # noqa: S608 (our own words)


def the_profile(session: Session, seller_id: UUID, id_: UUID) -> Facts | None:
    """One of this seller's; None where it is none."""
    return next(iter(read_all(session, _ONE, {"seller": seller_id, "id": id_})), None)


def profiles(session: Session, seller_id: UUID, *, account: str | None, after: str | None, limit: int) -> Slice:
    """In the order of the host's accounts."""
    values = {"seller": seller_id, "account": account}
    return page_by(session, _LIST, values, after=after, limit=limit, by="account_id")
