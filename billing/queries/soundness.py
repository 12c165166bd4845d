"""Soundness: what must hold of an invoice before it is charged; and whose customer something belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from billing.queries.reconciling import as_uuid

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


_OWNERS = {
    "profile": "SELECT id FROM billing.profile WHERE id = CAST(:id AS uuid)",
    "subscription": "SELECT profile_id FROM billing.subscription WHERE id = CAST(:id AS uuid)",
    "billing_period": """SELECT s.profile_id FROM billing.billing_period b
        JOIN billing.subscription s ON s.id = b.subscription_id WHERE b.id = CAST(:id AS uuid)""",
    "invoice": "SELECT profile_id FROM billing.invoice WHERE id = CAST(:id AS uuid)",
    "invoice_line": """SELECT i.profile_id FROM billing.invoice_line l
        JOIN billing.invoice i ON i.id = l.invoice_id WHERE l.id = CAST(:id AS uuid)""",
    "payment": "SELECT profile_id FROM billing.payment WHERE id = CAST(:id AS uuid)",
    "refund": "SELECT profile_id FROM billing.refund WHERE id = CAST(:id AS uuid)",
    "ledger_entry": "SELECT profile_id FROM billing.ledger_entry WHERE id = CAST(:id AS uuid)",
    "charge": """SELECT profile_id FROM billing.payment WHERE charge_ref = :id
        UNION ALL SELECT i.profile_id FROM billing.unapplied_payment u
        JOIN billing.invoice i ON i.id = u.invoice_id WHERE u.charge_ref = :id""",
}
"""By the subject type of a finding of the audit: whose it is."""


def customer_of(session: Session, subject_type: str, subject_id: str) -> UUID | None:
    """The profile that a finding is about; None where it is about no one customer."""
    statement = _OWNERS.get(subject_type)
    if statement is None or (subject_type != "charge" and as_uuid(subject_id) is None):
        # A refund or a dispute that the provider alone has bears its name there.
        return None
    found: UUID | None = session.execute(text(statement), {"id": subject_id}).scalars().first()
    return found
