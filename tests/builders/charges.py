"""What is charged: attempts, intents, keys, and money that met no debt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.kernel.ids import new_id
from billing.models import (
    Invoice,
    Payment,
    PaymentIntent,
    PaymentMethod,
    ProviderAccount,
    ProviderCustomer,
    ProviderWrite,
    UnappliedPayment,
)
from tests.builders.documents import entry
from tests.builders.rows import add


def attempt(session: Session, of: Invoice, *, at: datetime, status: str, **given: Any) -> Payment:
    """The invoice's next attempt with its key, in any state; its intent is made with the first one.

    `succeeded` and `declined` have a charge of their own and evidence, and end at `at`. The books are left alone.
    """
    method = session.scalars(
        select(PaymentMethod).where(PaymentMethod.profile_id == of.profile_id, PaymentMethod.is_default)
    ).one()
    customer = session.scalars(select(ProviderCustomer).where(ProviderCustomer.profile_id == of.profile_id)).one()
    earlier = session.scalars(select(Payment).where(Payment.invoice_id == of.id).order_by(Payment.attempt_no)).all()
    intent = session.scalars(select(PaymentIntent).where(PaymentIntent.invoice_id == of.id)).first()
    if intent is None:
        intent = payment_intent(session, of, method)
    ended = status in ("succeeded", "declined")
    known = {
        "attempt_no": len(earlier) + 1,
        "kind": "off_session",
        "scheduled": True,
        "customer_ref": customer.customer_ref,
        "method_ref": method.method_ref,
        "amount_minor": of.amount_remaining_minor,
        "currency": of.currency,
        "opened_at": at,
        "token": 1,
        "first_sent_at": None if status == "prepared" else at,
        "next_check_at": None if ended else datetime.now(UTC) + timedelta(hours=1),
        "charge_ref": f"ch_{new_id().hex[-12:]}" if ended else None,
        "decline_code": "insufficient_funds" if status == "declined" else None,
        "evidence": {"outcome": status} if ended else None,
        "closed_at": at if ended else None,
    }
    row = add(
        session,
        Payment(
            id=new_id(),
            seller_id=of.seller_id,
            invoice_id=of.id,
            profile_id=of.profile_id,
            provider_account_id=method.provider_account_id,
            payment_method_id=method.id,
            payment_intent_id=intent.id,
            status=status,
            **known | given,
        ),
    )
    provider_write(session, row)
    return row


def payment_intent(session: Session, of: Invoice, method: PaymentMethod, **given: Any) -> PaymentIntent:
    known = {"generation": 1, "intent_ref": f"pi_{new_id().hex[-12:]}", "status": "open"}
    return add(
        session,
        PaymentIntent(
            id=new_id(),
            seller_id=of.seller_id,
            invoice_id=of.id,
            provider_account_id=method.provider_account_id,
            **known | given,
        ),
    )


def provider_write(session: Session, of: Payment, **given: Any) -> ProviderWrite:
    known = {"step": "charge", "key": str(of.id), "parameter_hash": of.id.hex}
    return add(session, ProviderWrite(id=new_id(), seller_id=of.seller_id, payment_id=of.id, **known | given))


def declined(session: Session, of: Invoice, *, at: datetime) -> Payment:
    """An attempt that the bank declined; the next try is three days later."""
    row = attempt(session, of, at=at, status="declined")
    of.next_attempt_at, of.dunning_at = at + timedelta(days=3), at
    session.flush()
    return row


def paid(session: Session, of: Invoice, *, at: datetime) -> Payment:
    """An attempt that brought the whole amount, booked."""
    row = attempt(session, of, at=at, status="succeeded")
    session.get_one(PaymentIntent, row.payment_intent_id).status = "succeeded"
    sides = (("provider_clearing", row.amount_minor), ("receivable", -row.amount_minor))
    entry(session, of, "payment", sides, at=at, payment_id=row.id, charge_ref=row.charge_ref)
    of.amount_paid_minor, of.amount_remaining_minor = row.amount_minor, 0
    of.status, of.paid_at, of.next_attempt_at = "paid", at, None
    session.flush()
    return row


def unapplied(session: Session, of: Invoice, *, at: datetime, charge_ref: str, **given: Any) -> UnappliedPayment:
    """Money that came for an invoice which asks for none, booked."""
    account = session.scalars(select(ProviderAccount)).first()
    assert account is not None
    known = {"amount_minor": of.amount_due_minor, "currency": of.currency}
    row = add(
        session,
        UnappliedPayment(
            id=new_id(),
            seller_id=of.seller_id,
            invoice_id=of.id,
            provider_account_id=account.id,
            charge_ref=charge_ref,
            **known | given,
        ),
    )
    sides = (("provider_clearing", row.amount_minor), ("unapplied_payments", -row.amount_minor))
    entry(session, of, "unapplied_payment", sides, at=at, charge_ref=charge_ref)
    return row
