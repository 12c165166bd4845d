"""Lift an invoice's hold: it goes on with the next sweep."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.invoice.retry import has_attempt_in_flight
from billing.queries.invoice import lock_invoice


def lift_invoice(session: Session, *, invoice_id: UUID, now: datetime) -> bool:
    """Lift the hold and make the next try due at `now`; False where it is not on hold.

    An open attempt keeps the invoice to itself: its record sets the next moment. Raises `Refused`
    (`invoice_not_found`).
    """
    invoice = lock_invoice(session, invoice_id)
    if invoice.hold_id is None:
        return False
    invoice.hold_id = None
    invoice.charge_not_before = None
    if not has_attempt_in_flight(session, invoice.id):
        invoice.next_attempt_at = now
    session.flush()
    return True


def lift_draft(session: Session, *, invoice_id: UUID) -> bool:
    """Lift the hold of a draft that could not be issued; False where it is not on hold. Raises `Refused`."""
    invoice = lock_invoice(session, invoice_id)
    if invoice.hold_id is None:
        return False
    invoice.hold_id = None
    session.flush()
    return True
