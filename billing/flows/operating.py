"""What an operator orders about one thing: try, correct or refund an invoice, ask about an attempt, replay events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.commands.expected_version import require_version
from billing.commands.invoice.retry import retry_invoice as put_due
from billing.commands.provider_event.replay import lock_event
from billing.commands.provider_event.replay import replay_event as put_back
from billing.db.base import Json
from billing.db.clock import wall_now
from billing.flows import correcting, crediting, external_money, refunding, replacing
from billing.flows.order import Done, Order, carry_out, note
from billing.flows.parts import Parts
from billing.flows.resolution import read_questions, settle_all
from billing.kernel.clock import format_instant
from billing.kernel.errors import Fault, Refused
from billing.kernel.money import format_minor
from billing.kernel.status import OPEN_PAYMENT
from billing.models import Invoice, Payment, ProviderEvent
from billing.queries.correction import credits_on
from billing.queries.invoice import lock_invoice
from billing.queries.operations.events import EventFilter, list_events
from billing.queries.waiting import take_one
from billing.queue.buffer import after_commit
from billing.queue.names import COLLECTIONS_TICK, INBOX_PROCESS

_PAGE = 500
"""Events whose ids are read at once."""


def retry_invoice(parts: Parts, invoice_id: UUID, *, order: Order) -> Done:
    """Charge an open invoice now, outside the dunning schedule. A repeat while a try is due changes nothing.

    Raises `Refused` as `billing.commands.invoice.retry` does.
    """
    with carry_out(parts, order) as session:
        invoice = lock_invoice(session, invoice_id)
        require_version(invoice, order.expected_version)
        before = _of_invoice(invoice)
        changed = put_due(session, invoice_id=invoice_id, now=parts.clock.now(session), wall=wall_now(session))
        note(
            parts,
            session,
            order,
            action="invoice.retry",
            subject_type="invoice",
            subject_id=invoice.id,
            seller_id=invoice.seller_id,
            before=before,
            after=_of_invoice(invoice) | {"changed": changed},
        )
        if changed:
            after_commit(session, COLLECTIONS_TICK)
        number = invoice.number or "invoice"
    told = "it is due now; the next sweep charges it" if changed else "a try is due already; nothing was changed"
    return Done(invoice_id, number, changed=changed, told=told)


@dataclass(frozen=True, slots=True)
class Resolved:
    """What the provider's answer made of an attempt. `asked` is false where it was closed already."""

    asked: bool
    before: str
    status: str
    reason: str | None


def resolve_payment(parts: Parts, payment_id: UUID, *, order: Order) -> Resolved:
    """Ask the provider now what became of an open attempt, and settle what is proven. A closed one is left alone.

    The order is written down in the transaction that claims the attempt, before the provider is asked. Raises
    `Refused` (`payment_not_found`, `payment_in_hands`: a worker is asking at this moment).
    """
    with carry_out(parts, order) as session:
        payment = session.get(Payment, payment_id)
        if payment is None:
            raise Refused(Fault("payment", "payment_not_found", "give the id of an attempt"))
        before = payment.status
        if before not in OPEN_PAYMENT:
            return Resolved(False, before, before, payment.reason)
        taken = take_one(session, payment_id, lease_s=parts.settings.lease_s)
        if not taken:
            raise Refused(Fault("payment", "payment_in_hands", "a worker is asking just now; look again in a minute"))
        session.refresh(payment)
        questions = read_questions(parts, session, taken)
        note(
            parts,
            session,
            order,
            action="payment.resolve",
            subject_type="payment",
            subject_id=payment.id,
            seller_id=payment.seller_id,
            before={"status": before, "checks": payment.checks},
            after={"status": payment.status, "asked": True},
        )
    settle_all(parts, questions)
    with parts.begin() as session:
        payment = session.get_one(Payment, payment_id, populate_existing=True)
        return Resolved(True, before, payment.status, payment.reason)


def void(parts: Parts, invoice_id: UUID, *, order: Order) -> Done:
    """Take an open invoice back. Raises as `flows.correcting.void` does."""
    made = correcting.void(parts, invoice_id, order=order)
    told = f"it is void; {made.note} takes it back"
    with parts.begin() as session:
        gone = credits_on(session, session.get_one(Invoice, invoice_id))
    if gone:
        told += (
            f". What its lines credited for unused time ({gone}) goes with what they charged: "
            "where the customer is to keep it, `billing profile credit` gives it"
        )
    return Done(invoice_id, made.number, changed=True, told=told)


def mark_uncollectible(parts: Parts, invoice_id: UUID, *, order: Order) -> Done:
    """Write off an open invoice. Raises as `flows.correcting.mark_uncollectible` does."""
    made = correcting.mark_uncollectible(parts, invoice_id, order=order)
    told = f"{format_minor(made.owed_minor, made.currency)} are written off and not tried again"
    return Done(invoice_id, made.number, changed=True, told=told)


def mark_paid(
    parts: Parts,
    invoice_id: UUID,
    *,
    amount_minor: int | None,
    reference: str,
    received_at: datetime | None,
    order: Order,
) -> Done:
    """Note money that came another way. Raises as `flows.external_money.mark_paid` does."""
    made = external_money.mark_paid(
        parts, invoice_id, amount_minor=amount_minor, reference=reference, received_at=received_at, order=order
    )
    return Done(invoice_id, made.number, changed=True, told=made.told)


def credit(parts: Parts, invoice_id: UUID, *, amount_minor: int | None, order: Order) -> Done:
    """Issue a credit note. Raises as `flows.crediting.credit` does."""
    made = crediting.credit(parts, invoice_id, amount_minor=amount_minor, order=order)
    return Done(invoice_id, made.number, changed=True, told=f"{made.note} credits it; {_rest(made)}")


def apply_credit(parts: Parts, invoice_id: UUID, *, amount_minor: int | None, order: Order) -> Done:
    """Pay an invoice out of its customer's balance. Raises as `flows.crediting.apply_credit` does."""
    made = crediting.apply_credit(parts, invoice_id, amount_minor=amount_minor, order=order)
    applied = format_minor(made.owed_minor - made.remaining_minor, made.currency)
    return Done(invoice_id, made.number, changed=True, told=f"{applied} of the balance pay it; {_rest(made)}")


def replace(parts: Parts, invoice_id: UUID, *, order: Order) -> Done:
    """Issue a document anew. Raises as `flows.replacing.replace_invoice` does."""
    made = replacing.replace_invoice(parts, invoice_id, order=order)
    carried, rest = (format_minor(each, made.currency) for each in (made.carried_minor, made.remaining_minor))
    told = f"{made.note} credits it, {made.replaced_by} takes its place: {carried} are carried over, {rest} still owed"
    return Done(invoice_id, made.number, changed=True, told=told)


def _rest(made: correcting.Corrected) -> str:
    if made.remaining_minor:
        return f"{format_minor(made.remaining_minor, made.currency)} are still owed"
    return f"it is {made.status}"


def refund(parts: Parts, invoice_id: UUID, *, amount_minor: int | None, order: Order) -> Done:
    """Give back what was paid, or a part. Not idempotent. Raises as `flows.refunding.refund` does."""
    made = refunding.refund(parts, invoice_id, amount_minor=amount_minor, order=order)
    with parts.begin() as session:
        invoice = session.get_one(Invoice, invoice_id)
        number, amount = invoice.number or "invoice", format_minor(made.amount_minor, invoice.currency)
    told = f"{amount} go back; credit note {made.note.number}"
    return Done(invoice_id, number, changed=True, told=told)


def replay_event(parts: Parts, event_id: UUID, *, order: Order, seller_id: UUID | None = None) -> Done:
    """Have an event handled anew. One that waits to be handled is left alone. Raises `Refused` (`event_not_found`).

    `seller_id`: in whose trail the order stands; None: the operators' own.
    """
    with carry_out(parts, order) as session:
        event = lock_event(session, event_id)
        before = _of_event(event)
        changed = put_back(session, event=event)
        note(
            parts,
            session,
            order,
            action="event.replay",
            subject_type="provider_event",
            subject_id=event.id,
            seller_id=seller_id,
            before=before,
            after=_of_event(event) | {"changed": changed},
        )
        if changed:
            after_commit(session, INBOX_PROCESS, event.id)
        name = event.event_ref
    told = "it is put back and handled anew" if changed else "it waits to be handled already; nothing was changed"
    return Done(event_id, name, changed=changed, told=told)


def replay_all(parts: Parts, wanted: EventFilter, *, order: Order) -> Iterator[Done]:
    """As `replay_event`, for every event that the filter lets through, each in a transaction of its own."""
    before: UUID | None = None
    while True:
        with parts.begin() as session:
            page = list_events(session, wanted, before=before, limit=_PAGE)
        for row in page.rows:
            yield replay_event(parts, row["id"], order=order)
        before = page.next_before
        if before is None:
            return


def _of_invoice(invoice: Invoice) -> Json:
    due = invoice.next_attempt_at
    return {"status": invoice.status, "next_attempt_at": format_instant(due) if due else None}


def _of_event(event: ProviderEvent) -> Json:
    return {"status": event.status, "tries": event.tries}
