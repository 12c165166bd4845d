"""Record what the provider says of a dispute: its state, the money that it moved, and what a person is to do."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.dispute.money import Case, move_money
from billing.commands.dispute.work import ask_a_person, ask_to_appeal
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.ids import new_id
from billing.kernel.moves import allowed
from billing.kernel.status import OPEN_DISPUTE, DisputeStatus
from billing.models import Dispute, Invoice
from billing.providers.port import DisputeFacts


def new_dispute(*, invoice: Invoice, payment_id: UUID | None, account_id: UUID, facts: DisputeFacts) -> Dispute:
    """A row for a dispute that was not heard of before; `note_dispute` writes it, and books what it has moved."""
    return Dispute(
        id=new_id(),
        seller_id=invoice.seller_id,
        provider_account_id=account_id,
        dispute_ref=facts.dispute_ref,
        charge_ref=facts.charge_ref,
        invoice_id=invoice.id,
        payment_id=payment_id,
        profile_id=invoice.profile_id,
        amount_minor=facts.amount_minor,
        currency=facts.currency,
        status=facts.status,
        opened_at=facts.created,
        withdrawn_minor=0,
        reinstated_minor=0,
        reopened_minor=0,
        apart_minor=0,
        beyond_minor=0,
        repaid_minor=0,
        given_up_minor=0,
    )


def note_dispute(session: Session, *, dispute: Dispute, invoice: Invoice, facts: DisputeFacts, now: datetime) -> None:
    """Take over the provider's state. A repeat changes nothing; an older state never takes a newer one back.

    One that was won is open or lost again, by an appeal, where more was taken since: that no older state shows. A loss
    stays one, whatever an appeal asks, until it is won.
    """
    before, status = DisputeStatus(dispute.status), DisputeStatus(facts.status)
    appealed = before is DisputeStatus.WON and facts.withdrawn_minor > dispute.withdrawn_minor
    if status != before and not (appealed or allowed(before, status)):
        if before is DisputeStatus.LOST and facts.appeal:
            ask_to_appeal(session, dispute=dispute, invoice=invoice, facts=facts, now=now)
        return
    new = dispute.version is None
    dispute.status = status
    dispute.amount_minor, dispute.reason = facts.amount_minor, facts.reason
    dispute.refundable = facts.refundable
    dispute.due_by = facts.due_by if status in OPEN_DISPUTE else None
    if status in OPEN_DISPUTE:
        dispute.closed_at = None
    elif dispute.closed_at is None:
        dispute.closed_at = now
    session.add(dispute)
    session.flush()
    move_money(Case(session, dispute, invoice, now, facts.mixed), facts)
    session.flush()
    ask_a_person(session, dispute=dispute, invoice=invoice, now=now)
    if new or status != before:
        _tell(session, dispute, now)


def _tell(session: Session, dispute: Dispute, now: datetime) -> None:
    emit(
        session,
        topic=Topic.DISPUTE_UPDATED,
        object_type="dispute",
        object_id=dispute.id,
        seller_id=dispute.seller_id,
        now=now,
        payload={
            "dispute_id": str(dispute.id),
            "invoice_id": str(dispute.invoice_id),
            "status": dispute.status,
            "amount_minor": dispute.amount_minor,
            "currency": dispute.currency,
        },
    )
