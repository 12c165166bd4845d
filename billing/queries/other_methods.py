"""Which other method of a customer may be tried after the default was declined."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.rows import fetch

_UNTRIED = """
    SELECT i.id AS invoice_id, other.id AS method_id
    FROM billing.invoice i
    CROSS JOIN LATERAL (
        SELECT m.id FROM billing.payment_method m
        WHERE m.profile_id = i.profile_id AND m.seller_id = i.seller_id AND m.status = 'active' AND NOT m.is_default
          AND NOT EXISTS (
            SELECT FROM billing.payment p
            WHERE p.invoice_id = i.id AND p.payment_method_id = m.id
              AND (i.dunning_at IS NULL OR p.opened_at >= i.dunning_at))
        ORDER BY m.id DESC LIMIT 1) AS other
    WHERE i.id = ANY(%(invoices)s)
"""


def untried_others(session: Session, invoices: Sequence[UUID]) -> dict[UUID, UUID]:
    """By invoice: its customer's newest active method beside the default that was not tried at this moment yet."""
    return {row.invoice_id: row.method_id for row in fetch(session, _UNTRIED, invoices=list(invoices))}
