"""What became of a structured invoice: sent, put off, failed. Each by its token, so that nobody writes twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.work_item.close import close_for
from billing.commands.work_item.raise_item import raise_item
from billing.kernel.errors import Stale
from billing.kernel.moves import require_move
from billing.kernel.status import EInvoiceStatus
from billing.kernel.work import WorkKind
from billing.models import EInvoice, Invoice

NOT_SENT = WorkKind.E_INVOICE_NOT_SENT
"""Kind of the work item of one that was given up."""


def close_e_invoice(
    session: Session,
    *,
    e_invoice_id: UUID,
    token: int,
    status: EInvoiceStatus,
    now: datetime,
    wall: datetime,
    reference: str | None = None,
    reason: str | None = None,
) -> None:
    """End a waiting one; one that failed becomes a work item. Raises `Stale` where others have it."""
    row = _held(session, e_invoice_id, token)
    require_move(EInvoiceStatus(row.status), status)
    row.status, row.reference, row.reason = status, reference, reason
    row.next_try_at, row.closed_at = None, wall
    session.flush()
    if status is EInvoiceStatus.SENT:
        close_for(session, kind=NOT_SENT, subject_id=row.id, now=now)
        return
    invoice = session.get_one(Invoice, row.invoice_id)
    raise_item(
        session,
        kind=NOT_SENT,
        subject_type="e_invoice",
        subject_id=row.id,
        seller_id=row.seller_id,
        profile_id=invoice.profile_id,
        amount_minor=invoice.total_minor,
        currency=invoice.currency,
        summary=f"The structured form of {invoice.number} was not taken by the transport for {row.country}.",
        error=reason,
        safe_actions=["retry", "park", "discard"],
        now=now,
    )


def put_off(session: Session, *, e_invoice_id: UUID, token: int, reason: str, wall: datetime, pause_s: float) -> None:
    """Try again after `pause_s` (wall seconds). Raises `Stale` where others have it."""
    row = _held(session, e_invoice_id, token)
    row.reason, row.next_try_at = reason, wall + timedelta(seconds=pause_s)
    session.flush()


def send_again(session: Session, *, e_invoice_id: UUID) -> bool:
    """Make a failed one wait again, due at once; False where it is not failed."""
    row = session.get_one(EInvoice, e_invoice_id, with_for_update=True, populate_existing=True)
    if row.status != EInvoiceStatus.FAILED:
        return False
    require_move(EInvoiceStatus(row.status), EInvoiceStatus.WAITING)
    row.status, row.tries, row.closed_at, row.next_try_at = EInvoiceStatus.WAITING, 0, None, row.updated_at
    session.flush()
    return True


def _held(session: Session, e_invoice_id: UUID, token: int) -> EInvoice:
    row = session.get_one(EInvoice, e_invoice_id, with_for_update=True, populate_existing=True)
    if row.token != token or row.status != EInvoiceStatus.WAITING:
        raise Stale("the structured invoice is in other hands")
    return row
