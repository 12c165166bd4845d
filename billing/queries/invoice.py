"""Reads of invoices."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.kernel.status import InvoiceStatus
from billing.models import Invoice


def lock_invoice(session: Session, invoice_id: UUID) -> Invoice:
    """The row, locked until the transaction ends. Raises `Refused` (`invoice_not_found`)."""
    found = session.scalars(
        select(Invoice)
        .where(Invoice.id == invoice_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise Refused(Fault("invoice", "invoice_not_found", "give the number or the id of an invoice"))
    return found


def lock_successor(session: Session, invoice_id: UUID) -> Invoice:
    """The document that has this one's money now: itself, or the last in its place. All between are locked, too."""
    invoice = lock_invoice(session, invoice_id)
    while invoice.status == InvoiceStatus.REPLACED:
        query = select(Invoice.id).where(Invoice.corrects_id == invoice.id, Invoice.kind == "invoice")
        invoice = lock_invoice(session, session.scalars(query).one())
    return invoice
