"""Settle: money that came for an invoice is booked once, and what waited for it goes on."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.commands.ledger.post import post
from billing.commands.notice.of_invoice import tell_of_recovery
from billing.commands.subscription.recover import recover
from billing.commands.work_item.close import close_for
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.status import InvoiceStatus
from billing.models import Account, Invoice, Payment


def settle(session: Session, *, invoice: Invoice, payment: Payment, now: datetime) -> None:
    """Book a succeeded attempt: Dr provider clearing, Cr receivable; the invoice is paid when nothing remains.

    The caller holds the rows of `invoice` and `payment`, has written the attempt's charge, and calls this once an
    attempt: the attempt's move to `succeeded` is the guard.
    """
    post(
        session,
        kind="payment",
        seller_id=invoice.seller_id,
        profile_id=invoice.profile_id,
        invoice_id=invoice.id,
        payment_id=payment.id,
        charge_ref=payment.charge_ref,
        currency=invoice.currency,
        sides=((Account.PROVIDER_CLEARING, payment.amount_minor), (Account.RECEIVABLE, -payment.amount_minor)),
        now=now,
    )
    invoice.amount_paid_minor += payment.amount_minor
    invoice.amount_remaining_minor -= payment.amount_minor
    if invoice.amount_remaining_minor == 0:
        invoice.status = InvoiceStatus.PAID
        invoice.paid_at = now
        invoice.next_attempt_at = None
        invoice.charge_not_before = None
        emit(
            session,
            topic=Topic.INVOICE_PAID,
            object_type="invoice",
            object_id=invoice.id,
            seller_id=invoice.seller_id,
            now=now,
            payload={
                "invoice_id": str(invoice.id),
                "number": invoice.number,
                "amount_paid_minor": invoice.amount_paid_minor,
            },
        )
        close_for(session, kind="invoice_not_charged", subject_id=invoice.id, now=now)
        tell_of_recovery(session, invoice=invoice, payment=payment, now=now)
        recover(session, subscription_id=invoice.subscription_id, now=now)
