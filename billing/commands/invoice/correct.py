"""Correct what became of a debt: void, write off, credit, pay from the balance, carry forward. An issued document
never changes.

The caller holds the profile and the invoice, and has made sure that no attempt is in flight (DECISIONS 23).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.commands.credit.move import move_balances, move_carried_forward
from billing.commands.ledger.post import post
from billing.commands.subscription.recover import recover
from billing.commands.work_item.close import close_for
from billing.db.base import Json
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.errors import Fault, Refused
from billing.kernel.money import format_minor
from billing.kernel.moves import require_move
from billing.kernel.status import InvoiceStatus
from billing.models import Account, Invoice
from billing.queries.collecting import Collecting
from billing.queries.paying_out import balance_of

Sides = tuple[tuple[Account, int], ...]


def require_open(invoice: Invoice, *, or_uncollectible: bool = False) -> None:
    """Raise `Refused` (`invoice_not_open`) unless it is an invoice that is still owed."""
    owed = invoice.status == InvoiceStatus.OPEN
    if invoice.kind != "invoice" or not (owed or (or_uncollectible and invoice.status == InvoiceStatus.UNCOLLECTIBLE)):
        mend = f"it is {invoice.status}; nothing is owed on it"
        if invoice.status == InvoiceStatus.PAID:
            mend += ". `billing refund` sends money back, `billing invoice credit` puts it into the customer's balance"
        raise Refused(Fault("invoice", "invoice_not_open", mend))


def require_whole(invoice: Invoice) -> None:
    """Raise `Refused` (`invoice_partly_settled`) where a part was paid or credited: voiding takes all of it back."""
    if invoice.amount_paid_minor > 0 or invoice.amount_credited_minor > 0:
        mend = "a part of it was paid or credited; `billing invoice credit` takes off what is still owed"
        raise Refused(Fault("invoice", "invoice_partly_settled", mend))


def void(session: Session, *, invoice: Invoice, now: datetime) -> None:
    """Nothing is owed; the number stays. Credit that it used goes back, what it brought forward is carried on; its
    cancellation document books the rest.

    Raises as `require_whole` does.
    """
    require_whole(invoice)
    credit, brought = invoice.credit_applied_minor, invoice.brought_forward_minor
    if credit:
        move_balances(session, {(invoice.seller_id, invoice.profile_id, invoice.currency): credit})
        _post(session, invoice, "void", ((Account.RECEIVABLE, credit), (Account.CUSTOMER_CREDIT, -credit)), now)
    forward(session, invoice=invoice, amount_minor=brought, now=now)
    invoice.amount_remaining_minor = 0
    _end(session, invoice, InvoiceStatus.VOID, Topic.INVOICE_VOIDED, now)


def write_off(session: Session, *, invoice: Invoice, now: datetime) -> None:
    """The rest is not expected any more, and not tried again. Dr write-off, Cr receivable."""
    rest = invoice.amount_remaining_minor
    _post(session, invoice, "write_off", ((Account.WRITE_OFF, rest), (Account.RECEIVABLE, -rest)), now)
    _end(session, invoice, InvoiceStatus.UNCOLLECTIBLE, Topic.INVOICE_UNCOLLECTIBLE, now)


def credit_debt(session: Session, *, invoice: Invoice, amount_minor: int, now: datetime) -> None:
    """A part of an open invoice is owed no more; its credit note, issued before this, books that."""
    invoice.amount_credited_minor += amount_minor
    invoice.amount_remaining_minor -= amount_minor
    settle_if_paid(session, invoice=invoice, now=now)


def return_credit(session: Session, *, invoice: Invoice, amount_minor: int) -> None:
    """A part of a paid invoice goes into the balance; its credit note, issued before this, books that."""
    move_balances(session, {(invoice.seller_id, invoice.profile_id, invoice.currency): amount_minor})
    invoice.amount_returned_minor += amount_minor
    session.flush()


def apply_credit(session: Session, *, invoice: Invoice, amount_minor: int | None, now: datetime) -> None:
    """Pay it out of the customer's balance, as far as that reaches unless an amount is named.

    Dr customer credit, Cr receivable. Not idempotent where an amount is named. Raises `Refused` (`credit_exceeded`).
    """
    there = balance_of(session, invoice.profile_id, invoice.currency)
    most = min(there, invoice.amount_remaining_minor)
    amount = most if amount_minor is None else amount_minor
    if not 1 <= amount <= most:
        balance, owed = (format_minor(each, invoice.currency) for each in (there, invoice.amount_remaining_minor))
        mend = f"the balance holds {balance}, and {owed} are owed: apply no more than either"
        raise Refused(Fault("amount", "credit_exceeded", mend))
    reverse_write_off(session, invoice=invoice, amount_minor=amount, now=now)
    move_balances(session, {(invoice.seller_id, invoice.profile_id, invoice.currency): -amount})
    _post(session, invoice, "credit_applied", ((Account.CUSTOMER_CREDIT, amount), (Account.RECEIVABLE, -amount)), now)
    pay_debt(session, invoice=invoice, amount_minor=amount, now=now)


def carry_forward(session: Session, invoice: Invoice, now: datetime) -> None:
    """What is still owed is too little to be charged: the customer's next invoice asks for it, and this one is paid."""
    amount = invoice.amount_remaining_minor
    forward(session, invoice=invoice, amount_minor=amount, now=now)
    invoice.amount_carried_forward_minor += amount
    invoice.amount_remaining_minor -= amount
    settle_if_paid(session, invoice=invoice, now=now)


def forward_rest(session: Session, invoice: Collecting, *, paid_minor: int, now: datetime) -> None:
    """A payment that is about to settle it leaves a fraction that its provider can't move: the next invoice asks for
    that. The caller settles it in this transaction.
    """
    rest = invoice.amount_remaining_minor - paid_minor
    forward(session, invoice=invoice, amount_minor=rest, now=now)
    invoice.amount_carried_forward_minor += rest
    invoice.amount_remaining_minor -= rest


def forward(session: Session, *, invoice: Invoice | Collecting, amount_minor: int, now: datetime) -> None:
    """So much of an invoice's debt becomes that of the customer's next one. Dr carried forward, Cr receivable."""
    if amount_minor:
        move_carried_forward(session, {(invoice.seller_id, invoice.profile_id, invoice.currency): amount_minor})
        sides = ((Account.CARRIED_FORWARD, amount_minor), (Account.RECEIVABLE, -amount_minor))
        _post(session, invoice, "carried_forward", sides, now)


def reverse_write_off(session: Session, *, invoice: Invoice, amount_minor: int, now: datetime) -> None:
    """So much of what was written off is paid after all: it is owed again, and the caller pays it. Dr receivable."""
    if invoice.status == InvoiceStatus.UNCOLLECTIBLE:
        sides = ((Account.RECEIVABLE, amount_minor), (Account.WRITE_OFF, -amount_minor))
        _post(session, invoice, "write_off_back", sides, now)


def pay_debt(session: Session, *, invoice: Invoice, amount_minor: int, now: datetime) -> None:
    """So much of what it asks for is there; the caller has booked from where."""
    invoice.amount_paid_minor += amount_minor
    invoice.amount_remaining_minor -= amount_minor
    settle_if_paid(session, invoice=invoice, now=now)


def settle_if_paid(session: Session, *, invoice: Invoice, now: datetime) -> None:
    """It is paid once nothing remains; till then only what was changed is written."""
    if invoice.amount_remaining_minor:
        session.flush()
        return
    invoice.paid_at = now
    _end(session, invoice, InvoiceStatus.PAID, Topic.INVOICE_PAID, now)


def _post(session: Session, invoice: Invoice | Collecting, kind: str, sides: Sides, now: datetime) -> None:
    post(
        session,
        kind=kind,
        seller_id=invoice.seller_id,
        profile_id=invoice.profile_id,
        invoice_id=invoice.id,
        currency=invoice.currency,
        sides=sides,
        now=now,
    )


def _end(session: Session, invoice: Invoice, status: InvoiceStatus, topic: Topic, now: datetime) -> None:
    """Collection stops, and what waited for this goes on."""
    require_move(InvoiceStatus(invoice.status), status)
    invoice.status = status
    invoice.next_attempt_at = None
    invoice.charge_not_before = None
    session.flush()
    payload: Json = {
        "invoice_id": str(invoice.id),
        "number": invoice.number,
        "amount_paid_minor": invoice.amount_paid_minor,
    }
    if invoice.amount_carried_forward_minor:
        payload["amount_carried_forward_minor"] = invoice.amount_carried_forward_minor
    emit(
        session,
        topic=topic,
        object_type="invoice",
        object_id=invoice.id,
        seller_id=invoice.seller_id,
        now=now,
        payload=payload,
    )
    close_for(session, kind="invoice_not_charged", subject_id=invoice.id, now=now)
    if invoice.subscription_id is not None:
        session.flush()
        recover(session, [invoice.subscription_id], now=now)
