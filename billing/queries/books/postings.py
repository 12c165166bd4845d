"""Postings as an export tells them: streamed in the order of their accounting dates, a page in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

PAGE = 2000
"""Rows held in memory at once."""

_POSTINGS = text(
    """
    SELECT e.booked_on, e.effective_at, e.id AS entry_id, e.kind, s.code AS seller, p.account,
           s.account_codes ->> p.account AS code, p.currency, p.amount_minor, i.number AS document, f.account_id,
           e.charge_ref
    FROM billing.ledger_entry e
    JOIN billing.posting p ON p.entry_id = e.id AND p.seller_id = e.seller_id
    JOIN billing.seller s ON s.id = e.seller_id
    LEFT JOIN billing.invoice i ON i.id = e.invoice_id
    LEFT JOIN billing.profile f ON f.id = e.profile_id
    WHERE e.booked_on BETWEEN :since AND :until AND (CAST(:seller AS uuid) IS NULL OR e.seller_id = :seller)
    ORDER BY e.booked_on, e.id, p.position
    """
)


def stream_postings(session: Session, *, since: date, until: date, seller_id: UUID | None = None) -> Iterator[Row[Any]]:
    """Every posting dated from `since` to `until`, both included, through a server-side cursor."""
    # Whoever reads slowly (a disk, a pipe) holds a snapshot and no lock; nothing waits for it.
    session.execute(text("SET LOCAL statement_timeout = 0"))
    session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    values = {"since": since, "until": until, "seller": seller_id}
    with session.execute(
        _POSTINGS, values, execution_options={"stream_results": True, "yield_per": PAGE, "max_row_buffer": PAGE}
    ) as rows:
        yield from rows
