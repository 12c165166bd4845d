"""Settle: money that came for invoices is booked once, and what waited for it goes on. Many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.invoice.move import write_collecting
from billing.commands.ledger.post_all import Entry, post_all
from billing.commands.notice.of_invoice import Paid, tell_of_recovery
from billing.commands.subscription.recover import recover
from billing.commands.work_item.close import close_all_for
from billing.events.bulk import emit_many, payload
from billing.events.topics import Topic
from billing.kernel.status import InvoiceStatus
from billing.models import Account
from billing.queries.collecting import Collecting


@dataclass(frozen=True, slots=True)
class Settled:
    """A succeeded attempt and its open invoice, under lock. The amount is in minor units of the invoice's currency."""

    invoice: Collecting
    payment_id: UUID
    attempt_no: int
    opened_at: datetime
    amount_minor: int
    charge_ref: str


def settle(session: Session, settled: Sequence[Settled], *, now: datetime) -> None:
    """Book each: Dr provider clearing, Cr receivable; an invoice is paid when nothing remains.

    The caller holds the rows, has written the attempts with their charges, and calls this once an attempt: its move to
    `succeeded` is the guard.
    """
    post_all(session, kind="payment", entries=[_entry(each) for each in settled], now=now)
    for each in settled:
        _take_off(each.invoice, each.amount_minor, now)
    write_collecting(session, [each.invoice for each in settled])
    paid = [each.invoice for each in settled if each.invoice.status == InvoiceStatus.PAID]
    emit_many(
        session,
        topic=Topic.INVOICE_PAID,
        object_type="invoice",
        now=now,
        events=[(invoice.seller_id, invoice.id, _told(invoice)) for invoice in paid],
    )
    close_all_for(session, [("invoice_not_charged", invoice.id) for invoice in paid], now=now)
    tell_of_recovery(session, [_paid(each) for each in settled if each.invoice.status == InvoiceStatus.PAID], now=now)
    recover(session, {invoice.subscription_id for invoice in paid if invoice.subscription_id is not None}, now=now)


def _paid(each: Settled) -> Paid:
    return Paid(each.invoice, each.payment_id, each.attempt_no, each.opened_at, each.amount_minor)


def _entry(each: Settled) -> Entry:
    invoice = each.invoice
    return Entry(
        seller_id=invoice.seller_id,
        profile_id=invoice.profile_id,
        invoice_id=invoice.id,
        payment_id=each.payment_id,
        charge_ref=each.charge_ref,
        currency=invoice.currency,
        sides=((Account.PROVIDER_CLEARING, each.amount_minor), (Account.RECEIVABLE, -each.amount_minor)),
    )


def _take_off(invoice: Collecting, amount_minor: int, now: datetime) -> None:
    invoice.amount_paid_minor += amount_minor
    invoice.amount_remaining_minor -= amount_minor
    if invoice.amount_remaining_minor == 0:
        invoice.status = InvoiceStatus.PAID
        invoice.paid_at = now
        invoice.next_attempt_at = None
        invoice.charge_not_before = None


def _told(invoice: Collecting) -> str:
    rest = invoice.amount_carried_forward_minor
    more = {"amount_carried_forward_minor": rest} if rest else {}
    return payload(invoice_id=invoice.id, number=invoice.number, amount_paid_minor=invoice.amount_paid_minor, **more)
