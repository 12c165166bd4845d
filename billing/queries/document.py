"""A document's frozen snapshot, for whoever sets it: the row, its lines, both parties as they were sealed."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.documents.facts import DocumentFacts, GroupFacts, LineFacts
from billing.kernel.errors import Fault, Refused
from billing.privacy.keyring import Keyring
from billing.privacy.sealed import unseal

_DOCUMENT = text(
    """
    SELECT i.id, i.kind, i.status, i.number, i.issued_at, i.due_at, i.paid_at, i.period_start, i.period_end,
           s.timezone AS zone, COALESCE(u.timezone, s.timezone) AS periods_zone, i.currency, i.subtotal_minor,
           i.discount_minor, i.tax_minor, i.total_minor, i.credit_applied_minor, i.brought_forward_minor,
           i.amount_due_minor, i.amount_paid_minor, i.amount_carried_forward_minor, i.amount_remaining_minor,
           i.tax_groups, i.legal_notes, i.collection, i.buyer_country, i.parties, i.seller_tax, c.number AS corrects,
           c.issued_at AS corrects_issued_at,
           CASE WHEN i.kind = 'invoice' AND i.corrects_id IS NOT NULL THEN (
               WITH RECURSIVE chain AS (
                   SELECT c.corrects_id, c.issued_at
                   UNION ALL SELECT o.corrects_id, o.issued_at
                             FROM billing.invoice o JOIN chain ON o.id = chain.corrects_id
               )
               SELECT min(issued_at) FROM chain) END AS supplied_at,
           i.on_schedule AND i.final_decision IS NULL AND NOT EXISTS (
               SELECT FROM billing.payment p WHERE p.invoice_id = i.id AND p.status = 'declined') AS by_itself,
           k.id AS key_id, k.master_id, k.wrapped
    FROM billing.invoice i
    JOIN billing.seller s ON s.id = i.seller_id
    JOIN billing.data_key k ON k.id = i.document_key_id
    LEFT JOIN billing.subscription u ON u.id = i.subscription_id
    LEFT JOIN billing.invoice c ON c.id = i.corrects_id
    WHERE i.id = :id
    """
)
_LINES = text(
    """
    SELECT l.kind, l.description, l.quantity, l.unit_amount, l.amount_minor, l.discount_minor, l.tax_percent,
           l.tax_inclusive, l.tax_code, l.period_start, l.period_end, l.how, o.number AS corrects,
           o.issued_at AS corrects_issued_at
    FROM billing.invoice_line l
    LEFT JOIN billing.invoice_line c ON c.id = l.credits_line_id
    LEFT JOIN billing.invoice o ON o.id = c.invoice_id AND o.id <> l.invoice_id
    WHERE l.invoice_id = :id ORDER BY l.position
    """
)
_KEPT = {field.name for field in fields(DocumentFacts)} - {"seller", "buyer", "lines", "tax_groups"}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A document and its content, opened: personal."""

    id: UUID
    facts: DocumentFacts


def document_snapshot(session: Session, keyring: Keyring, invoice_id: UUID) -> Snapshot:
    """One document in two statements. Raises `Refused` (`invoice_not_found`), `SealBroken`; as the keyring does."""
    row = session.execute(_DOCUMENT, {"id": invoice_id}).mappings().one_or_none()
    if row is None:
        raise Refused(Fault("invoice", "invoice_not_found", "give the number or the id of an invoice"))
    key = keyring.unwrap(master_id=row["master_id"], wrapped=row["wrapped"], row=row["key_id"])
    parties: dict[str, Any] = json.loads(unseal(key, row["parties"], table="invoice", row=row["id"], column="parties"))
    lines = session.execute(_LINES, {"id": invoice_id}).mappings()
    facts = DocumentFacts(
        **{name: row[name] for name in _KEPT},
        seller=parties["seller"],
        buyer=parties["buyer"],
        lines=[LineFacts(**line) for line in lines],
        tax_groups=[GroupFacts(**_group(stored)) for stored in row["tax_groups"]],
    )
    return Snapshot(row["id"], facts)


def _group(stored: dict[str, Any]) -> dict[str, Any]:
    return stored | {"percent": Decimal(stored["percent"])}
