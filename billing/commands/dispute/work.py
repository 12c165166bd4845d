"""What a dispute asks of a person: an answer in time, and after a loss a decision."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.commands.work_item.close import close_for
from billing.commands.work_item.raise_item import raise_item
from billing.kernel.clock import format_instant
from billing.kernel.status import INQUIRY, OPEN_DISPUTE, DisputeStatus
from billing.kernel.work import WorkKind
from billing.models import Dispute, Invoice
from billing.providers.port import DisputeFacts

ANSWER = WorkKind.DISPUTE_NEEDS_RESPONSE
"""Kind of the work item for evidence that is asked for by a date."""
LOST = WorkKind.DISPUTE_LOST
"""Kind of the work item for a loss: the invoice is owed again until it is written off or credited."""
REGAINED = WorkKind.DISPUTE_WON_LATE
"""Kind of the work item for money that came back after a loss had been decided on."""

LET_GO = ("write_off", "credit_note")
"""Decisions after which nothing of a loss is owed, though it was not paid."""
_NEEDS_RESPONSE = (DisputeStatus.NEEDS_RESPONSE, DisputeStatus.WARNING_NEEDS_RESPONSE)


def ask_a_person(session: Session, *, dispute: Dispute, invoice: Invoice, now: datetime) -> None:
    """Raise what is to be done now, and close what is over."""
    if dispute.status in _NEEDS_RESPONSE:
        what = "An inquiry about" if dispute.status in INQUIRY else "A dispute of"
        until = f" by {format_instant(dispute.due_by)}" if dispute.due_by else ""
        summary = f"{what} invoice {invoice.named} ({dispute.reason}) asks for an answer at the provider{until}."
        _raise(session, dispute, ANSWER, summary, now, due=dispute.due_by)
    else:
        close_for(session, kind=ANSWER, subject_id=dispute.id, now=now)
    if dispute.status == DisputeStatus.LOST and dispute.reopened_minor and dispute.decision is None:
        summary = f"The dispute of invoice {invoice.named} is lost: write the debt off, or credit it."
        _raise(session, dispute, LOST, summary, now)
    elif dispute.status not in OPEN_DISPUTE:
        close_for(session, kind=LOST, subject_id=dispute.id, now=now)
    if dispute.status == DisputeStatus.WON and dispute.decision in LET_GO and dispute.reinstated_minor:
        summary = f"The dispute of invoice {invoice.named} was won after its debt had been settled; the money is back."
        _raise(session, dispute, REGAINED, summary, now)
    else:
        close_for(session, kind=REGAINED, subject_id=dispute.id, now=now)


def ask_to_appeal(session: Session, *, dispute: Dispute, invoice: Invoice, facts: DisputeFacts, now: datetime) -> None:
    """A loss may be appealed: raise that, or close it once the appeal waits for others."""
    if facts.status == DisputeStatus.NEEDS_RESPONSE:
        until = f" by {format_instant(facts.due_by)}" if facts.due_by else ""
        summary = f"The lost dispute of invoice {invoice.named} may be appealed at the provider{until}."
        _raise(session, dispute, ANSWER, summary, now, due=facts.due_by)
    else:
        close_for(session, kind=ANSWER, subject_id=dispute.id, now=now)


def _raise(
    session: Session, dispute: Dispute, kind: WorkKind, summary: str, now: datetime, *, due: datetime | None = None
) -> None:
    raise_item(
        session,
        kind=kind,
        subject_type="dispute",
        subject_id=dispute.id,
        seller_id=dispute.seller_id,
        profile_id=dispute.profile_id,
        amount_minor=dispute.amount_minor,
        currency=dispute.currency,
        summary=summary,
        error=dispute.reason,
        safe_actions=["park"],
        next_try_at=due,
        now=now,
    )
