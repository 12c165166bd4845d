"""What banks take back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.kernel.ids import new_id
from billing.models import Dispute, Invoice, Payment
from tests.builders.documents import entry
from tests.builders.rows import add


def _paid_by(session: Session, of: Invoice) -> Payment:
    return session.scalars(select(Payment).where(Payment.invoice_id == of.id, Payment.status == "succeeded")).one()


def dispute(session: Session, of: Invoice, *, at: datetime, **given: Any) -> Dispute:
    """An open dispute of all that was paid, booked."""
    payment = _paid_by(session, of)
    known = {
        "dispute_ref": f"du_{new_id().hex[-12:]}",
        "amount_minor": payment.amount_minor,
        "currency": of.currency,
        "reason": "fraudulent",
        "status": "needs_response",
        "refundable": False,
        "due_by": at + timedelta(days=7),
        "withdrawn_minor": payment.amount_minor,
        "reinstated_minor": 0,
        "reopened_minor": 0,
        "moved_currency": of.currency,
    }
    row = add(
        session,
        Dispute(
            id=new_id(),
            seller_id=of.seller_id,
            provider_account_id=payment.provider_account_id,
            charge_ref=payment.charge_ref,
            invoice_id=of.id,
            payment_id=payment.id,
            profile_id=of.profile_id,
            opened_at=at,
            **known | given,
        ),
    )
    sides = (("disputes", row.withdrawn_minor), ("provider_clearing", -row.withdrawn_minor))
    entry(session, of, "dispute_withdrawn", sides, at=at, charge_ref=payment.charge_ref)
    return row
