"""Adopt a charge that no attempt of ours asked for: it settles the open invoice that it was meant for."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.commands.invoice.correct import forward_rest
from billing.commands.invoice.settle import Settled, settle
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.ids import new_id
from billing.kernel.status import COLLECTABLE, PaymentKind, PaymentStatus
from billing.models import Invoice, Payment, PaymentIntent
from billing.providers.port import ChargeFacts
from billing.queries.collecting import lock_collecting


def fits(invoice: Invoice, charge: ChargeFacts, *, leaves_rest: bool) -> bool:
    """Whether the charge is exactly what the invoice still asks for, or all that its account charges of that."""
    return (
        invoice.status in COLLECTABLE
        and charge.currency == invoice.currency
        and (leaves_rest or charge.amount_minor == invoice.amount_remaining_minor)
    )


def adopt_charge(
    session: Session, *, invoice: Invoice, last: Payment, intent: PaymentIntent, charge: ChargeFacts, now: datetime
) -> None:
    """Write the attempt that should have been, succeeded, and settle. The unique charge id lets it happen once.

    `last` is the invoice's last attempt, of the same intent; the caller holds all three rows.
    """
    payment = Payment(
        id=new_id(),
        seller_id=invoice.seller_id,
        invoice_id=invoice.id,
        profile_id=invoice.profile_id,
        attempt_no=last.attempt_no + 1,
        kind=PaymentKind.ADOPTED,
        scheduled=False,
        provider_account_id=last.provider_account_id,
        payment_method_id=last.payment_method_id,
        payment_intent_id=intent.id,
        customer_ref=last.customer_ref,
        method_ref=last.method_ref,
        method_kind=last.method_kind,
        amount_minor=charge.amount_minor,
        currency=charge.currency,
        confirms_ref=intent.intent_ref,
        noted_charge_ref=last.charge_ref,
        opened_at=now,
        closed_at=now,
        status=PaymentStatus.SUCCEEDED,
        charge_ref=charge.charge_ref,
        reason="adopted",
        evidence={"outcome": "succeeded", "reason": "adopted", "charge": charge.charge_ref},
    )
    session.add(payment)
    intent.status = "succeeded"
    session.flush()
    (locked,) = lock_collecting(session, [invoice.id])
    if charge.amount_minor < locked.amount_remaining_minor:
        forward_rest(session, locked, paid_minor=charge.amount_minor, now=now)
    settle(
        session,
        [Settled(locked, payment.id, payment.attempt_no, now, payment.amount_minor, charge.charge_ref)],
        now=now,
    )
    session.refresh(invoice)
    emit(
        session,
        topic=Topic.PAYMENT_SUCCEEDED,
        object_type="payment",
        object_id=payment.id,
        seller_id=payment.seller_id,
        now=now,
        payload={
            "payment_id": str(payment.id),
            "invoice_id": str(invoice.id),
            "amount_minor": payment.amount_minor,
            "currency": payment.currency,
            "charge_ref": payment.charge_ref,
        },
    )
