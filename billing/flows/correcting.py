"""Correcting an open invoice by hand: void it, or write it off; and what noting money on one shares with that.

The provider's intent is canceled first, outside any transaction; where it turns out to be paid or under way, that wins
and the order is refused (DECISIONS 20 and 23). An operator's `order` is noted in the transaction of its effect; one
that is only tried asks the provider nothing and takes everything else back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.expected_version import require_version
from billing.commands.invoice import correct
from billing.commands.invoice.compose import Wallet
from billing.commands.invoice.note import cancellation
from billing.commands.invoice.retry import has_attempt_in_flight
from billing.db.base import Json
from billing.flows.canceling import all_canceled, cancel_intents, require_canceled
from billing.flows.issuing import issue_documents, note_parties
from billing.flows.order import Order, carry_out, note
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.models import Invoice
from billing.queries.invoice import lock_invoice
from billing.queries.profile import lock_profile


@dataclass(frozen=True, slots=True)
class Corrected:
    """The invoice, and what was owed on it before and is after it (minor units). `note`: the number of its document."""

    number: str
    owed_minor: int
    currency: str
    note: str | None
    status: str
    remaining_minor: int


def void(parts: Parts, invoice_id: UUID, *, order: Order | None = None) -> Corrected:
    """Take an open invoice back: its number stays, a cancellation document is issued, its credit is free again.

    Raises `Refused`: `invoice_not_found`, `invoice_not_open`, `invoice_partly_settled`, `payment_in_flight`; the
    provider's errors: then nothing was done here, do it again.
    """

    def take_back(session: Session, invoice: Invoice, now: datetime) -> str:
        cancels = cancellation(invoice, parties=note_parties(parts, session, invoice))
        (issued,) = issue_documents(parts, session, [cancels], wallet=Wallet(), now=now)
        correct.void(session, invoice=invoice, now=now)
        return issued.number

    return correct_open(parts, invoice_id, take_back, action="void", order=order, whole=True)


def mark_uncollectible(parts: Parts, invoice_id: UUID, *, order: Order | None = None) -> Corrected:
    """Write off what is still owed; it is not tried again. Raises as `void` does."""

    def write_off(session: Session, invoice: Invoice, now: datetime) -> None:
        correct.write_off(session, invoice=invoice, now=now)

    return correct_open(parts, invoice_id, write_off, action="mark_uncollectible", order=order)


def correct_open(
    parts: Parts,
    invoice_id: UUID,
    apply: Callable[[Session, Invoice, datetime], str | None],
    *,
    action: str,
    order: Order | None,
    or_uncollectible: bool = False,
    whole: bool = False,
) -> Corrected:
    """Cancel what the provider might still collect, then `apply` to the locked invoice; it returns a document's number.
    Where there is something to cancel, `apply` is rehearsed and taken back first: what is refused has canceled nothing.

    `whole`: refused where a part of it was settled. Raises as `void` does, and what `apply` raises.
    """
    tried, expected = order is not None and order.dry_run, order.expected_version if order else None
    with parts.begin() as session:
        invoice = _locked(session, invoice_id, or_uncollectible=or_uncollectible, whole=whole)
        require_version(invoice, expected)
        if not tried and not all_canceled(session, [invoice_id]):
            # Rehearsed, so that what is refused leaves the invoice the intent that it has.
            apply(session, invoice, parts.clock.now(session))
            session.rollback()
    if not tried and not cancel_intents(parts, [invoice_id]):
        mend = "the provider has money for it, or is about to; wait for that, then refund it"
        raise Refused(Fault("invoice", "payment_in_flight", mend))
    with carry_out(parts, order) if order else parts.begin() as session:
        invoice = _locked(session, invoice_id, or_uncollectible=or_uncollectible, whole=whole)
        require_version(invoice, expected)
        if not tried:
            require_canceled(session, invoice_id)
        before = _of(invoice)
        owed_minor = invoice.amount_remaining_minor
        number = apply(session, invoice, parts.clock.now(session))
        made = Corrected(
            number=invoice.number or "invoice",
            owed_minor=owed_minor,
            currency=invoice.currency,
            note=number,
            status=invoice.status,
            remaining_minor=invoice.amount_remaining_minor,
        )
        if order is not None:
            note(
                parts,
                session,
                order,
                action=f"invoice.{action}",
                subject_type="invoice",
                subject_id=invoice.id,
                seller_id=invoice.seller_id,
                before=before,
                after=_of(invoice) | ({"document": made.note} if made.note else {}),
            )
    return made


def _of(invoice: Invoice) -> Json:
    return {"status": invoice.status, "amount_remaining_minor": invoice.amount_remaining_minor}


def _locked(session: Session, invoice_id: UUID, *, or_uncollectible: bool, whole: bool) -> Invoice:
    found = session.get(Invoice, invoice_id)
    if found is None:
        raise Refused(Fault("invoice", "invoice_not_found", "give the number or the id of an invoice"))
    lock_profile(session, found.profile_id)
    invoice = lock_invoice(session, invoice_id)
    correct.require_open(invoice, or_uncollectible=or_uncollectible)
    if whole:
        correct.require_whole(invoice)
    if has_attempt_in_flight(session, invoice.id):
        mend = "an attempt is open; `billing payment resolve` asks the provider what became of it"
        raise Refused(Fault("invoice", "payment_in_flight", mend))
    return invoice
