"""Refunds and balances as the API shows them."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.queries.api.reading import Slice, page_by_id, rows_of
from billing.queries.charged_back import CHARGED_BACK
from billing.queries.operations.paging import Facts

_REFUND = """
SELECT r.id, r.invoice_id, r.credit_note_id, r.status, r.amount_minor, r.currency, r.reason, r.opened_at, r.closed_at
FROM billing.refund r
"""
_PAGE = """
WHERE r.invoice_id = :invoice AND r.seller_id = :seller AND (CAST(:after AS uuid) IS NULL OR r.id < :after)
ORDER BY r.id DESC LIMIT :limit
"""
_BALANCES = """
SELECT currency, amount_minor FROM billing.credit_balance
WHERE profile_id = :profile AND seller_id = :seller ORDER BY currency
"""
_LATEST = text(
    """
    SELECT id FROM billing.invoice WHERE profile_id = :profile AND seller_id = :seller AND kind = 'invoice'
    ORDER BY id DESC LIMIT 1
    """
)


# The note and the corrected document of a replacement, written last and together; none can follow it.
_CORRECTIONS = f"""
SELECT DISTINCT ON (i.kind) i.*, {CHARGED_BACK}
FROM billing.invoice i WHERE i.corrects_id = :invoice AND i.seller_id = :seller AND i.kind IN ('credit_note', 'invoice')
ORDER BY i.kind, i.id DESC
"""  # noqa: S608 (our own words)


def the_refund(session: Session, seller_id: UUID, id_: UUID) -> Facts | None:
    """One of this seller's; None where it is none."""
    statement = f"{_REFUND} WHERE r.id = :id AND r.seller_id = :seller"
    return next(iter(rows_of(session, statement, {"seller": seller_id, "id": id_})), None)


def refunds(session: Session, seller_id: UUID, *, invoice_id: UUID, after: str | None, limit: int) -> Slice:
    """Those of an invoice, newest first."""
    values = {"seller": seller_id, "invoice": invoice_id}
    return page_by_id(session, f"{_REFUND} {_PAGE}", values, after=after, limit=limit)


def balances(session: Session, seller_id: UUID, *, profile_id: UUID) -> list[Facts]:
    """A customer's credit, by currency."""
    return rows_of(session, _BALANCES, {"seller": seller_id, "profile": profile_id})


def latest_invoice(session: Session, seller_id: UUID, *, profile_id: UUID) -> UUID | None:
    """The customer's newest invoice; who has just written it holds the customer's lock, so it is theirs."""
    found: UUID | None = session.scalar(_LATEST, {"seller": seller_id, "profile": profile_id})
    return found


def corrections(session: Session, seller_id: UUID, *, invoice_id: UUID) -> list[Facts]:
    """Of a document that was replaced: the note that credits it, then the one in its place."""
    return rows_of(session, _CORRECTIONS, {"seller": seller_id, "invoice": invoice_id})
