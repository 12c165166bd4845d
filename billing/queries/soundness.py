"""Soundness: what must hold of an invoice before it is charged."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

_UNSOUND = text(
    """
    SELECT i.profile_id, i.seller_id, min(format(
               '%s: in the books %s %s are owed, by its row %s; paid %s, by its row %s', i.number, books.owed,
               i.currency, i.amount_remaining_minor, charged.paid, i.amount_paid_minor)) AS detail
    FROM billing.invoice i
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(s.amount_minor), 0) AS owed
        FROM (SELECT i.id UNION ALL SELECT n.id FROM billing.invoice n WHERE n.corrects_id = i.id) d
        JOIN billing.ledger_entry e ON e.invoice_id = d.id
        JOIN billing.posting s ON s.entry_id = e.id AND s.account = 'receivable') books
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(p.amount_minor), 0) AS paid
        FROM billing.payment p WHERE p.invoice_id = i.id AND p.status = 'succeeded') charged
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(d.reopened_minor - d.repaid_minor), 0) AS owed
        FROM billing.dispute d WHERE d.invoice_id = i.id AND d.decision IS NULL) disputed
    WHERE i.id = ANY(:ids) AND i.status = 'open'
      AND (books.owed <> i.amount_remaining_minor + disputed.owed OR charged.paid > i.amount_paid_minor)
    GROUP BY i.profile_id, i.seller_id
    """
)


def unsound_customers(session: Session, invoices: Sequence[UUID]) -> list[Row[tuple[UUID, UUID, str]]]:
    """Of these open invoices: customers with one whose debt the books don't confirm, or that more was paid on.

    Rows of (profile_id, seller_id, detail), one a customer; one statement, by indexes of the invoice.
    """
    return list(session.execute(_UNSOUND, {"ids": list(invoices)}).all())
