"""Hold an invoice: nothing more of it happens until a person has looked."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.commands.work_item.raise_item import raise_item
from billing.kernel.work import WorkKind
from billing.models import Invoice


def hold_invoice(
    session: Session,
    *,
    invoice: Invoice,
    summary: str,
    error: str,
    now: datetime,
    trace: str | None = None,
    kind: WorkKind = WorkKind.INVOICE_NOT_CHARGED,
) -> None:
    """Raise the invoice's work item, with what is at stake, and let it stop the rest. The caller holds the row.

    `kind`: `INVOICE_NOT_ISSUED` for a draft that does not become an invoice.
    """
    item = raise_item(
        session,
        kind=kind,
        subject_type="invoice",
        subject_id=invoice.id,
        seller_id=invoice.seller_id,
        profile_id=invoice.profile_id,
        amount_minor=invoice.amount_remaining_minor,
        currency=invoice.currency,
        summary=summary,
        error=error,
        trace=trace,
        safe_actions=["retry", "park"],
        now=now,
    )
    invoice.hold_id = item.id
