"""Lift an invoice's hold: it goes on with the next sweep."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.invoice.retry import has_attempt_in_flight
from billing.kernel.errors import Fault, Refused
from billing.models import Invoice, WorkItem
from billing.queries.invoice import lock_invoice


def lift_invoice(session: Session, *, invoice_id: UUID, now: datetime) -> bool:
    """Lift the hold and make the next try due at `now`; False where it is not on hold.

    An open attempt keeps the invoice to itself: its record sets the next moment. Raises `Refused`:
    `invoice_not_found`; `on_hold` where it is something else that holds it, such as money that came for it meanwhile.
    """
    invoice = lock_invoice(session, invoice_id)
    if invoice.hold_id is None:
        return False
    _require_own(session, invoice)
    invoice.hold_id = None
    invoice.charge_not_before = None
    if not has_attempt_in_flight(session, invoice.id):
        invoice.next_attempt_at = now
    session.flush()
    return True


def lift_draft(session: Session, *, invoice_id: UUID) -> bool:
    """Lift the hold of a draft that could not be issued; False where it is not on hold. Raises as `lift_invoice`."""
    invoice = lock_invoice(session, invoice_id)
    if invoice.hold_id is None:
        return False
    _require_own(session, invoice)
    invoice.hold_id = None
    session.flush()
    return True


def _require_own(session: Session, invoice: Invoice) -> None:
    holder = session.get(WorkItem, invoice.hold_id)
    if holder is not None and holder.subject_id != invoice.id:
        mend = f"work item {holder.id} holds it; see `billing work show {holder.id}`"
        raise Refused(Fault("invoice", "on_hold", mend))
