"""Reads for replacing a document: its lines, with the tax rate that each was sold at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.db.rows import fetch
from billing.models import TaxRate as StoredRate
from billing.rules.tax import TaxRate

_LINES = """
    SELECT l.kind, l.price_id, l.description, l.quantity, l.unit_amount, l.amount_minor, l.discount_minor,
           l.tax_percent, l.tax_inclusive, l.tax_code, l.period_start, l.period_end, l.how::text AS how_json,
           p.tax_rate_id
    FROM billing.invoice_line l LEFT JOIN billing.price p ON p.id = l.price_id
    WHERE l.invoice_id = %(invoice)s ORDER BY l.position
"""

_CREDITED = text(
    """
    SELECT EXISTS (SELECT FROM billing.invoice_line WHERE invoice_id = :invoice AND credits_line_id IS NOT NULL)
        OR EXISTS (SELECT FROM billing.invoice_line l JOIN billing.invoice_line c ON c.credits_line_id = l.id
                   WHERE l.invoice_id = :invoice)
        OR EXISTS (SELECT FROM billing.invoice_line l JOIN billing.waiting_line c ON c.credits_line_id = l.id
                   WHERE l.invoice_id = :invoice)
    """
)


_IS_CREDITED = text(
    """
    SELECT EXISTS (SELECT FROM billing.invoice_line WHERE credits_line_id = :line)
        OR EXISTS (SELECT FROM billing.waiting_line WHERE credits_line_id = :line)
    """
)


def is_credited(session: Session, line_id: UUID) -> bool:
    """Whether a change has given a part of this line back."""
    return bool(session.scalar(_IS_CREDITED, {"line": line_id}))


def lines_of(session: Session, invoice_id: UUID) -> Sequence[Any]:
    """The document's lines, in order, each with the id of its price's tax rate (null without)."""
    return fetch(session, _LINES, invoice=invoice_id)


def has_credits(session: Session, invoice_id: UUID) -> bool:
    """Whether a change has given back lines of this document, or lines of others on it."""
    return bool(session.scalar(_CREDITED, {"invoice": invoice_id}))


@dataclass(frozen=True, slots=True)
class Rates:
    """A seller's tax rates."""

    by_id: dict[UUID, TaxRate]
    by_name: dict[str, TaxRate]


def rates_of(session: Session, seller_id: UUID) -> Rates:
    """Every rate of the seller."""
    rows = session.scalars(select(StoredRate).where(StoredRate.seller_id == seller_id)).all()
    rates = [
        TaxRate.of(percent=row.percent, inclusive=row.inclusive, countries=row.countries, changes=row.changes)
        for row in rows
    ]
    return Rates(
        {row.id: rate for row, rate in zip(rows, rates, strict=True)},
        {row.name: rate for row, rate in zip(rows, rates, strict=True)},
    )
