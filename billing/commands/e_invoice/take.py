"""Take structured invoices that are due, by a new token and a lease."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

_TAKE = text(
    """
    UPDATE billing.e_invoice e
    SET token = e.token + 1, tries = e.tries + 1, version = e.version + 1, updated_at = clock_timestamp(),
        next_try_at = clock_timestamp() + make_interval(secs => :lease_s)
    FROM billing.invoice i
    WHERE i.id = e.invoice_id AND e.id = ANY(ARRAY(
        SELECT id FROM billing.e_invoice
        WHERE status = 'waiting' AND next_try_at <= clock_timestamp() AND country = ANY(:countries)
        ORDER BY next_try_at LIMIT :most FOR NO KEY UPDATE SKIP LOCKED))
    RETURNING e.id, e.token, e.tries, e.invoice_id, e.country, e.law, i.number
    """
)


def take_e_invoices(session: Session, *, countries: Collection[str], lease_s: float, most: int) -> Sequence[Row[Any]]:
    """Claim at most `most` of these countries. `lease_s` is wall time."""
    return session.execute(_TAKE, {"countries": list(countries), "lease_s": lease_s, "most": most}).all()
