"""Revive an attempt that this database has lost: its row is made anew from what the provider's intent names."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.invoice.dun import pass_moment, policy_of
from billing.commands.notice.lost import note_lost_notice
from billing.commands.payment.write import write_attempt, write_intent
from billing.kernel.ids import new_id
from billing.kernel.status import PaymentStatus
from billing.models import Invoice, Payment, PaymentIntent, PaymentMethod, Seller
from billing.providers.port import ChargeFacts, IntentFacts
from billing.rules.debit import is_debit
from billing.rules.told_kind import told_kind


def revive_attempt(
    session: Session,
    *,
    invoice: Invoice,
    provider_account_id: UUID,
    facts: IntentFacts,
    payment_id: UUID | None,
    charge: ChargeFacts | None,
    wall: datetime,
) -> Payment | None:
    """Write intent and attempt as they were, with an outcome that is unknown yet: evidence decides it, as always.

    `payment_id` is the id in the intent's metadata, which was the key; None where a row of ours has it, or where the
    intent names none: then somebody else has asked for the money, and the attempt is an adopted one. While the
    attempt is open nothing else of the invoice is charged. One of ours takes the place in the invoice's schedule that
    it had when it was made. `charge` says which method it charged, and of which kind; the customer's default may have
    been another one by then, and its row may be lost. None, and nothing written, where the invoice has another intent
    that may move money, or the customer no method at this account. The caller holds the invoice.
    """
    intents = session.scalars(select(PaymentIntent).where(PaymentIntent.invoice_id == invoice.id)).all()
    method = _method(session, invoice, provider_account_id, charge.method_ref if charge else None)
    if method is None or any(each.status in ("open", "succeeded") for each in intents):
        return None
    intent = write_intent(
        session,
        invoice=invoice,
        provider_account_id=provider_account_id,
        generation=len(intents) + 1,
        intent_ref=facts.intent_ref,
    )
    seller = session.get_one(Seller, invoice.seller_id)
    earlier = session.scalars(select(Payment.attempt_no).where(Payment.invoice_id == invoice.id)).all()
    payment = Payment(
        id=payment_id or new_id(),
        seller_id=invoice.seller_id,
        invoice_id=invoice.id,
        profile_id=invoice.profile_id,
        attempt_no=max(earlier, default=0) + 1,
        kind="off_session" if payment_id else "adopted",
        scheduled=payment_id is not None and pass_moment(invoice, policy_of(seller), now=facts.created),
        provider_account_id=provider_account_id,
        payment_method_id=method.id,
        payment_intent_id=intent.id,
        customer_ref=facts.customer_ref or "",
        method_ref=method.method_ref,
        method_kind=told_kind((charge and charge.method_kind) or method.kind, told_before=()),
        amount_minor=facts.amount_minor,
        currency=facts.currency,
        confirms_ref=None,
        noted_charge_ref=None,
        revived=True,
        opened_at=facts.created,
        first_sent_at=facts.created,
        status=PaymentStatus.UNKNOWN,
        token=1,
        next_check_at=wall,
        reason="revived",
    )
    write_attempt(session, payment)
    if is_debit(payment.method_kind):
        note_lost_notice(session, payment=payment, wall=wall)
    invoice.next_attempt_at = None
    session.flush()
    return payment


def _method(session: Session, invoice: Invoice, account_id: UUID, ref: str | None) -> PaymentMethod | None:
    """The method that was charged, else the default, else any at the account."""
    query = select(PaymentMethod).where(
        PaymentMethod.profile_id == invoice.profile_id, PaymentMethod.provider_account_id == account_id
    )
    known = session.scalars(query.order_by(PaymentMethod.id)).all()
    return next(
        (each for each in known if each.method_ref == ref),
        next((each for each in known if each.is_default), known[0] if known else None),
    )
