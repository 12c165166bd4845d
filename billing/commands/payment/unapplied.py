"""Money without a debt to meet it: booked at once, kept apart, and offered to a person to send back (DECISIONS 23)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.commands.ledger.post import post
from billing.commands.work_item.raise_item import raise_item
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.ids import new_id
from billing.kernel.status import InvoiceStatus
from billing.kernel.work import WorkKind
from billing.models import Account, Invoice, Payment, UnappliedPayment


def keep_unapplied(session: Session, *, invoice: Invoice, payment: Payment, now: datetime) -> None:
    """Book a succeeded charge of `payment` whose invoice wants no money any more. See `keep_charge`."""
    assert payment.charge_ref is not None
    keep_charge(
        session,
        invoice=invoice,
        payment=payment,
        charge_ref=payment.charge_ref,
        amount_minor=payment.amount_minor,
        now=now,
    )


def keep_charge(
    session: Session, *, invoice: Invoice, payment: Payment, charge_ref: str, amount_minor: int, now: datetime
) -> bool:
    """Book a charge once: Dr provider clearing, Cr unapplied payments, with a work item. False where it was before."""
    written = session.execute(
        insert(UnappliedPayment)
        .values(
            id=new_id(),
            seller_id=invoice.seller_id,
            invoice_id=invoice.id,
            provider_account_id=payment.provider_account_id,
            charge_ref=charge_ref,
            amount_minor=amount_minor,
            currency=invoice.currency,
            status="held",
            version=1,
        )
        .on_conflict_do_nothing(index_elements=["provider_account_id", "charge_ref"])
        .returning(UnappliedPayment.id)
    ).scalar_one_or_none()
    if written is None:
        return False
    post(
        session,
        kind="unapplied_payment",
        seller_id=invoice.seller_id,
        profile_id=invoice.profile_id,
        invoice_id=invoice.id,
        payment_id=payment.id,
        charge_ref=charge_ref,
        currency=invoice.currency,
        sides=((Account.PROVIDER_CLEARING, amount_minor), (Account.UNAPPLIED_PAYMENTS, -amount_minor)),
        now=now,
    )
    item = raise_item(
        session,
        kind=WorkKind.PAYMENT_UNAPPLIED,
        subject_type="unapplied_payment",
        subject_id=written,
        seller_id=invoice.seller_id,
        profile_id=invoice.profile_id,
        amount_minor=amount_minor,
        currency=invoice.currency,
        summary=f"Money came for invoice {invoice.number} that it does not ask for; send it back at the provider.",
        error=f"charge {charge_ref}",
        safe_actions=["park", "discard"],
        now=now,
    )
    if invoice.status == InvoiceStatus.OPEN:
        # It asks for another amount: nothing more is charged until a person has looked.
        invoice.hold_id = item.id
    emit(
        session,
        topic=Topic.PAYMENT_UNAPPLIED,
        object_type="invoice",
        object_id=invoice.id,
        seller_id=invoice.seller_id,
        now=now,
        payload={"invoice_id": str(invoice.id), "charge_ref": charge_ref, "amount_minor": amount_minor},
    )
    return True
