"""Debits of bank accounts: how many of an invoice have failed, and which were announced."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.rows import fetch
from billing.rules.debit import DEBITS

_FAILED = f"""
    SELECT invoice_id, payment_method_id, count(*) AS failed FROM billing.payment
    WHERE invoice_id = ANY(%(invoices)s) AND status = 'declined'
      AND method_kind IN ({", ".join(f"'{kind}'" for kind in sorted(DEBITS))})
    GROUP BY invoice_id, payment_method_id
"""  # noqa: S608 (our own words)


_ANNOUNCED = """
    SELECT occasion, CAST(facts ->> 'debit_at' AS timestamptz) AS debit_at FROM billing.notice
    WHERE invoice_id = ANY(%(invoices)s) AND kind = 'debit_upcoming'
"""


def announced_debits(session: Session, invoices: Sequence[UUID]) -> dict[str, datetime]:
    """When each debit of these invoices that was told of is made, by the occasion of its notice."""
    if not invoices:
        return {}
    return {row.occasion: row.debit_at for row in fetch(session, _ANNOUNCED, invoices=list(invoices))}


def failed_debits(session: Session, invoices: Sequence[UUID]) -> dict[tuple[UUID, UUID], int]:
    """By invoice and method; what is absent has none. One statement, none without invoices."""
    if not invoices:
        return {}
    rows = fetch(session, _FAILED, invoices=list(invoices))
    return {(row.invoice_id, row.payment_method_id): row.failed for row in rows}
