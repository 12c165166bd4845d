"""An intent that can't be canceled waits for a person: no other charge of its invoice begins meanwhile."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.commands.work_item.raise_item import raise_item
from billing.kernel.work import WorkKind
from billing.models import Invoice


def tell_not_canceled(session: Session, *, invoice: Invoice, error: str, now: datetime) -> None:
    """Raise the invoice's work item, or count another try on it. `error`: why its intent could not be canceled.

    It closes by itself once the intent is known to be over.
    """
    raise_item(
        session,
        kind=WorkKind.INTENT_NOT_CANCELED,
        subject_type="invoice",
        subject_id=invoice.id,
        seller_id=invoice.seller_id,
        profile_id=invoice.profile_id,
        amount_minor=invoice.amount_remaining_minor,
        currency=invoice.currency,
        summary=f"An earlier payment of invoice {invoice.named} can't be ended at its provider; "
        "no other is begun meanwhile.",
        error=error,
        safe_actions=["retry", "park"],
        now=now,
    )
