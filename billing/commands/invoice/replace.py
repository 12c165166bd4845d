"""Put a corrected document in the place of an issued one: debt, periods and money paid go over (DECISIONS 33).

The caller holds the profile and both documents, has issued the note that credits the first in full and the second.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from billing.commands.credit.move import move_balances
from billing.commands.invoice.correct import forward, settle_if_paid
from billing.commands.ledger.post import post
from billing.commands.subscription.recover import recover
from billing.commands.work_item.close import close_for
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.errors import Fault, Refused
from billing.kernel.moves import require_move
from billing.kernel.status import InvoiceStatus
from billing.models import Account, BillingPeriod, Invoice
from billing.queries.replacing import has_credits


def require_replaceable(session: Session, invoice: Invoice) -> None:
    """Raise `Refused`: `invoice_not_open` (neither open nor paid), `invoice_corrected`, `invoice_changed`."""
    if invoice.kind != "invoice" or invoice.status not in (InvoiceStatus.OPEN, InvoiceStatus.PAID):
        raise Refused(Fault("invoice", "invoice_not_open", f"it is {invoice.status}; only what counts is replaced"))
    if invoice.amount_refunded_minor or invoice.amount_credited_minor or invoice.amount_returned_minor:
        mend = "a note has taken a part of it back already; credit the rest and charge anew"
        raise Refused(Fault("invoice", "invoice_corrected", mend))
    if has_credits(session, invoice.id):
        mend = "a change of the subscription has given back a part of it, or of another document on it"
        raise Refused(Fault("invoice", "invoice_changed", mend))


def put_in_place(session: Session, *, old: Invoice, new: Invoice, now: datetime) -> int:
    """Carry money and periods over; the old one is `replaced`. Returns what the new one was paid with, minor units.

    Its receivable holds, as a credit, what was paid or carried forward, and what credit it had used: Dr receivable
    (old), Cr receivable (new), by way of unapplied payments, because an entry speaks of one document; what is beyond
    goes to the balance. What it had brought forward was paid first; what wasn't of that is carried on. What is carried
    forward by the old one is so by the new one, of which nobody is told that it was paid.
    """
    settled = old.amount_paid_minor + old.credit_applied_minor + old.amount_carried_forward_minor
    held = max(0, settled - old.brought_forward_minor)
    forward(session, invoice=old, amount_minor=max(0, old.brought_forward_minor - settled), now=now)
    carried = min(held, new.amount_remaining_minor)
    forwarded = max(0, carried - max(0, held - old.amount_carried_forward_minor))
    if held:
        _post(session, old, ((Account.RECEIVABLE, held), (Account.UNAPPLIED_PAYMENTS, -held)), now)
        if held > carried:
            move_balances(session, {(old.seller_id, old.profile_id, old.currency): held - carried})
        sides = (
            (Account.UNAPPLIED_PAYMENTS, held),
            (Account.RECEIVABLE, -carried),
            (Account.CUSTOMER_CREDIT, carried - held),
        )
        _post(session, new, tuple(side for side in sides if side[1]), now)
    of_it = (BillingPeriod.subscription_id == old.subscription_id, BillingPeriod.invoice_id == old.id)
    session.execute(update(BillingPeriod).where(*of_it).values(invoice_id=new.id))
    require_move(InvoiceStatus(old.status), InvoiceStatus.REPLACED)
    old.status = InvoiceStatus.REPLACED
    old.amount_credited_minor = old.total_minor
    old.amount_remaining_minor = 0
    old.next_attempt_at = old.charge_not_before = None
    new.amount_paid_minor += carried - forwarded
    new.amount_carried_forward_minor += forwarded
    new.amount_remaining_minor -= carried
    session.flush()
    emit(
        session,
        topic=Topic.INVOICE_REPLACED,
        object_type="invoice",
        object_id=old.id,
        seller_id=old.seller_id,
        now=now,
        payload={"invoice_id": str(old.id), "number": old.number, "replaced_by": str(new.id)},
    )
    close_for(session, kind="invoice_not_charged", subject_id=old.id, now=now)
    if carried:
        settle_if_paid(session, invoice=new, now=now)
    if old.subscription_id is not None:
        recover(session, [old.subscription_id], now=now)
    return carried


def _post(session: Session, invoice: Invoice, sides: tuple[tuple[Account, int], ...], now: datetime) -> None:
    post(
        session,
        kind="carried_over",
        seller_id=invoice.seller_id,
        profile_id=invoice.profile_id,
        invoice_id=invoice.id,
        currency=invoice.currency,
        sides=sides,
        now=now,
    )
