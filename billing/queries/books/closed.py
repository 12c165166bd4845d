"""What a seller's accounts stood at when a month was closed: no entry is dated before its end any more (a trigger), so
a sum up to a later day goes on from there. That a close says what its postings come to is for the audit to hold.
"""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.queries.books.dating import EVER

CLOSED = """
closed AS (
    SELECT DISTINCT ON (m.seller_id) m.seller_id, (m.month + interval '1 month')::date AS open_on, m.balances
    FROM billing.month_close m
    WHERE (m.month + interval '1 month')::date <= :from_close
      AND (CAST(:seller AS uuid) IS NULL OR m.seller_id = :seller)
    ORDER BY m.seller_id, m.month DESC
)
"""
"""Of each seller the last close whose day after is not later than `:from_close`."""
STOOD = "jsonb_to_recordset(closed.balances) AS stood(currency text, account text, balance_minor bigint)"

_FIRST = text(
    f"""
    WITH {CLOSED}
    SELECT min(coalesce(c.open_on, :ever)) FROM billing.seller s LEFT JOIN closed c ON c.seller_id = s.id
    WHERE CAST(:seller AS uuid) IS NULL OR s.id = :seller
    """  # noqa: S608 (our own words)
)


def first_open(session: Session, *, from_close: date, seller_id: UUID | None) -> date:
    """The first day after what `CLOSED` finds for every seller asked for; `EVER` where one has no such close."""
    values = {"from_close": from_close, "seller": seller_id, "ever": EVER}
    found: date | None = session.scalar(_FIRST, values)
    return found or EVER
