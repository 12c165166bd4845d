"""Reserve a refund: the note's rows before the provider hears of it; the row's id is the key (DECISIONS 29)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_id
from billing.kernel.money import format_minor, whole_steps
from billing.kernel.status import InvoiceStatus, RefundStatus
from billing.models import Invoice, Profile, Refund
from billing.queries.correction import PaidBy, paid_by, refundable, taken_back
from billing.queries.paying_out import ChargeLeft

StepOf = Callable[[UUID], int]
"""In how many minor units a provider account moves money of the currency at hand."""


def take_refundable(session: Session, *, invoice: Invoice, amount_minor: int | None) -> int:
    """Count `amount_minor` (None: all that is refundable) as refunded on a locked invoice, and return it.

    Raises `Refused`: `refund_exceeds_paid`; `charge_disputed` where the bank has taken a part of the payment back.
    """
    most = refundable(session, invoice) if invoice.kind == "invoice" else 0
    amount = most if amount_minor is None else amount_minor
    if amount < 1 or amount > most:
        if any(payment.lost and payment.left_minor >= max(amount, 1) for payment in paid_by(session, invoice.id)):
            mend = "a dispute of it was lost, so its provider sends nothing of it back; `billing invoice credit` does"
            raise Refused(Fault("invoice", "charge_disputed", f"{mend}, into the customer's balance"))
        raise Refused(Fault("amount", "refund_exceeds_paid", _instead(session, invoice, most)))
    invoice.amount_refunded_minor += amount
    session.flush()
    return amount


def _instead(session: Session, invoice: Invoice, most: int) -> str:
    if invoice.kind != "invoice":
        return (
            "it is a credit note, on which nothing is paid; `billing invoice show` names the invoice that it corrects"
        )
    if invoice.status == InvoiceStatus.REPLACED:
        return "what was paid on it stands on the document in its place; `billing invoice show` names it: refund that"
    if invoice.status == InvoiceStatus.OPEN and invoice.amount_paid_minor == 0:
        return "nothing is paid on it; `billing invoice void` takes it back, `billing invoice credit` a part of it"
    left, taken = format_minor(max(most, 0), invoice.currency), taken_back(session, invoice)
    mend = f"at most {left} can go back: what was paid, less what was refunded or credited"
    return f"{mend} ({taken})" if taken else mend


def reserve_refunds(
    session: Session,
    *,
    invoice: Invoice,
    credit_note_id: UUID,
    amount_minor: int,
    paid: Sequence[PaidBy],
    step_of: StepOf,
    now: datetime,
    wall: datetime,
) -> list[UUID]:
    """Write a refund for each payment that the amount goes back on, the newest first. Returns their ids.

    Raises `Refused`: `refund_exceeds_paid`; `amount_not_representable` where a provider can't send such an amount.
    """
    ids, left = [], amount_minor
    for payment in paid:
        part = whole_steps(min(left, payment.refundable_minor), step_of(payment.provider_account_id))
        if part <= 0:
            continue
        profile = session.get_one(Profile, invoice.profile_id)
        refund = new_refund(
            ChargeLeft(
                payment.payment_id,
                invoice.id,
                payment.provider_account_id,
                payment.charge_ref,
                payment.refundable_minor,
            ),
            profile=profile,
            currency=invoice.currency,
            amount_minor=part,
            now=now,
            wall=wall,
        )
        refund.credit_note_id = credit_note_id
        session.add(refund)
        ids.append(refund.id)
        left -= part
    if left and sum(payment.refundable_minor for payment in paid) >= amount_minor:
        most = format_minor(amount_minor - left, invoice.currency)
        mend = f"the provider moves this currency in larger steps; {most} can go back"
        raise Refused(Fault("amount", "amount_not_representable", mend))
    if left:
        raise Refused(Fault("amount", "refund_exceeds_paid", "the payments of this invoice don't hold that much"))
    session.flush()
    return ids


def new_refund(
    charge: ChargeLeft, *, profile: Profile, currency: str, amount_minor: int, now: datetime, wall: datetime
) -> Refund:
    """A refund of a part of a charge, to be sent at once."""
    return Refund(
        id=new_id(),
        seller_id=profile.seller_id,
        invoice_id=charge.invoice_id,
        payment_id=charge.payment_id,
        profile_id=profile.id,
        provider_account_id=charge.provider_account_id,
        charge_ref=charge.charge_ref,
        amount_minor=amount_minor,
        currency=currency,
        opened_at=now,
        status=RefundStatus.PENDING,
        token=0,
        next_check_at=wall,
        checks=0,
    )
