"""Refunds and balances as the API shows them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from billing.queries.api.reading import Slice, page_by_id
from billing.queries.charged_back import CHARGED_BACK
from billing.queries.operations.paging import Facts, read_all

_REFUND = """
SELECT r.id, r.invoice_id, r.credit_note_id, r.status, r.amount_minor, r.currency, r.reason, r.opened_at, r.closed_at
FROM billing.refund r
"""
_PAGE = """
WHERE r.invoice_id = :invoice AND r.seller_id = :seller AND (CAST(:after AS uuid) IS NULL OR r.id < :after)
ORDER BY r.id DESC LIMIT :limit
"""
_BALANCES = """
SELECT currency, amount_minor, carried_forward_minor FROM billing.credit_balance
WHERE profile_id = :profile AND seller_id = :seller ORDER BY currency
"""
_CORRECTIONS = f"""
SELECT i.*, {CHARGED_BACK}
FROM billing.invoice i WHERE i.id = ANY(:written) AND i.seller_id = :seller AND i.kind IN ('credit_note', 'invoice')
ORDER BY i.kind
"""  # noqa: S608 (our own words)


def the_refund(session: Session, seller_id: UUID, id_: UUID) -> Facts | None:
    """One of this seller's; None where it is none."""
    statement = f"{_REFUND} WHERE r.id = :id AND r.seller_id = :seller"
    return next(iter(read_all(session, statement, {"seller": seller_id, "id": id_})), None)


def these_refunds(session: Session, seller_id: UUID, ids: Sequence[UUID]) -> list[Facts]:
    """Those of this seller's, newest first."""
    statement = f"{_REFUND} WHERE r.id = ANY(:ids) AND r.seller_id = :seller ORDER BY r.id DESC"
    return read_all(session, statement, {"seller": seller_id, "ids": list(ids)})


def refunds(session: Session, seller_id: UUID, *, invoice_id: UUID, after: str | None, limit: int) -> Slice:
    """Those of an invoice, newest first."""
    values = {"seller": seller_id, "invoice": invoice_id}
    return page_by_id(session, f"{_REFUND} {_PAGE}", values, after=after, limit=limit)


def balances(session: Session, seller_id: UUID, *, profile_id: UUID) -> list[Facts]:
    """A customer's credit, by currency."""
    return read_all(session, _BALANCES, {"seller": seller_id, "profile": profile_id})


def corrections(session: Session, seller_id: UUID, *, written: Sequence[UUID]) -> list[Facts]:
    """Both documents of a replacement: the note that credits the first, then the one in its place."""
    return read_all(session, _CORRECTIONS, {"seller": seller_id, "written": list(written)})
