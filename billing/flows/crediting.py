"""Credit by hand: notes over a part that is not owed, or was not, beside what refunds give back; and paying by credit.

On an open invoice the note takes it off the debt, and the provider's intent, which asks for more, is canceled first. On
a paid one it goes into the customer's balance, which can be paid out. An issued document never changes.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.expected_version import require_version
from billing.commands.invoice import correct
from billing.commands.invoice.compose import Wallet
from billing.commands.invoice.note import credit_note
from billing.flows.correcting import Corrected, correct_open
from billing.flows.issuing import issue_documents, note_parties
from billing.flows.order import Order, carry_out, note
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.kernel.money import format_minor
from billing.kernel.status import InvoiceStatus
from billing.models import Account, Invoice
from billing.queries.correction import creditable, notes_of, taken_back
from billing.queries.invoice import lock_invoice
from billing.queries.profile import lock_profile
from billing.validators.amount import require_amount


def credit(parts: Parts, invoice_id: UUID, *, amount_minor: int | None = None, order: Order) -> Corrected:
    """Credit `amount_minor`, tax included (None: all that can be). Not idempotent.

    Raises `Refused`: `out_of_range` (the amount), `invoice_not_found`, `credit_exceeds_invoice`, `invoice_not_open`
    (neither open nor paid), `charge_disputed`, `payment_in_flight`; the provider's errors: then nothing was done here,
    do it again.
    """
    require_amount(amount_minor)
    with parts.begin() as session:
        found = session.get(Invoice, invoice_id)
        paid = found is not None and found.kind == "invoice" and found.status == InvoiceStatus.PAID
    if paid:
        return _credit_paid(parts, invoice_id, amount_minor, order)

    def take_off(session: Session, invoice: Invoice, now: datetime) -> str:
        amount = _take(session, invoice, amount_minor, most=invoice.amount_remaining_minor)
        number = _issue(parts, session, invoice, amount, Account.RECEIVABLE)
        correct.credit_debt(session, invoice=invoice, amount_minor=amount, now=now)
        return number

    return correct_open(parts, invoice_id, take_off, action="credit", order=order)


def apply_credit(parts: Parts, invoice_id: UUID, *, amount_minor: int | None = None, order: Order) -> Corrected:
    """Pay an invoice that is owed out of its customer's balance: all that both reach, unless an amount is named.

    Of one that was written off, as much of the write-off is taken back. No document is issued, and the rest stays owed.
    Not idempotent where an amount is named. Raises `Refused`: `out_of_range` (the amount), `invoice_not_found`,
    `invoice_not_open`, `credit_exceeded` (by what the balance holds, or by what is owed), `payment_in_flight`; the
    provider's errors: then nothing was done here, do it again.
    """
    require_amount(amount_minor)

    def pay(session: Session, invoice: Invoice, now: datetime) -> None:
        correct.apply_credit(session, invoice=invoice, amount_minor=amount_minor, now=now)

    return correct_open(parts, invoice_id, pay, action="apply_credit", order=order, or_uncollectible=True)


def _credit_paid(parts: Parts, invoice_id: UUID, amount_minor: int | None, order: Order) -> Corrected:
    with carry_out(parts, order) as session:
        lock_profile(session, session.get_one(Invoice, invoice_id).profile_id)
        invoice = lock_invoice(session, invoice_id)
        require_version(invoice, order.expected_version)
        amount = _take(session, invoice, amount_minor, most=invoice.total_minor)
        number = _issue(parts, session, invoice, amount, Account.CUSTOMER_CREDIT)
        before = invoice.amount_returned_minor
        correct.return_credit(session, invoice=invoice, amount_minor=amount)
        note(
            parts,
            session,
            order,
            action="invoice.credit",
            subject_type="invoice",
            subject_id=invoice.id,
            seller_id=invoice.seller_id,
            before={"amount_returned_minor": before},
            after={"amount_returned_minor": invoice.amount_returned_minor, "document": number},
        )
        return Corrected(invoice.number or "invoice", 0, invoice.currency, number, invoice.status, 0)


def _take(session: Session, invoice: Invoice, amount_minor: int | None, *, most: int) -> int:
    room = creditable(session, invoice)
    amount = min(most, room) if amount_minor is None else amount_minor
    if amount < 1 or amount > min(most, room):
        left = format_minor(max(min(most, room), 0), invoice.currency)
        why = taken_back(session, invoice) if room < most else "that is all that is left of it"
        raise Refused(Fault("amount", "credit_exceeds_invoice", f"at most {left} can be credited: {why}"))
    return amount


def _issue(parts: Parts, session: Session, invoice: Invoice, amount_minor: int, counter: Account) -> str:
    document = credit_note(
        invoice,
        amount_minor=amount_minor,
        earlier=notes_of(session, invoice.id),
        parties=note_parties(parts, session, invoice),
        counter=counter,
    )
    (issued,) = issue_documents(parts, session, [document], wallet=Wallet(), now=parts.clock.now(session))
    return issued.number
