"""Events of disputes: a hint to look. What is re-read decides, in any order of arrival."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.dispute.record import new_dispute, note_dispute
from billing.commands.provider_event.claim import ClaimedEvent, close
from billing.db.clock import wall_now
from billing.flows.parts import Parts
from billing.kernel.errors import ProviderRefused
from billing.kernel.failpoints import failpoint
from billing.kernel.status import OPEN_PAYMENT, EventStatus
from billing.models import Dispute, Invoice, Payment, PaymentIntent, UnappliedPayment
from billing.providers.listed import ListedCharge
from billing.providers.port import DisputeFacts
from billing.queries.invoice import lock_successor
from billing.queries.reconciling import as_uuid
from billing.rules.rate import Rank


@dataclass(frozen=True, slots=True)
class Charged:
    """What a charge of the provider's is to us."""

    invoice_id: UUID
    payment_id: UUID | None


def dispute(parts: Parts, claimed: ClaimedEvent) -> EventStatus:
    """Note what became of a dispute: money taken or given back is booked once, what a person must do is their work."""
    facts = parts.provider(claimed.provider_account_id, rank=Rank.REREADS).read_dispute(claimed.object_ref)
    failpoint("event.reread")
    with parts.begin() as session:
        now = parts.clock.now(session)
        charged = charge_of_ours(session, claimed.provider_account_id, facts.charge_ref)
        if charged is not None:
            invoice, row = _lock(session, claimed.provider_account_id, charged, facts)
            note_dispute(session, dispute=row, invoice=invoice, facts=facts, now=now)
            close(session, claimed, status=EventStatus.PROCESSED, now=now)
            failpoint("event.commit")
            return EventStatus.PROCESSED
    return set_aside(parts, claimed, facts.charge_ref)


def set_aside(parts: Parts, claimed: ClaimedEvent, charge_ref: str) -> EventStatus:
    """An event of a charge that no row of ours names: it may beat our own record of that charge, or be none of ours.

    Where an attempt is open for the invoice that the charge was made for, the event waits for what becomes of it, and
    no try is used up. Else it is closed. Raises what the provider raises.
    """
    account_id = claimed.provider_account_id
    try:
        charge = parts.provider(account_id, rank=Rank.REREADS).read_charge(charge_ref)
    except ProviderRefused:
        charge = None
    with parts.begin() as session:
        # In this order: what is recorded between the two is known by then.
        waits_s = _open_for_s(session, account_id, charge) if charge else None
        if waits_s is None and charge_of_ours(session, account_id, charge_ref) is not None:
            waits_s = 0.0
        if waits_s is None:
            now = parts.clock.now(session)
            close(session, claimed, status=EventStatus.IGNORED, now=now, error="no charge of ours")
            return EventStatus.IGNORED
        again_s = max(waits_s, parts.settings.back_off_s[0])
        error = "its charge is not recorded yet"
        close(session, claimed, status=EventStatus.RECEIVED, error=error, again_s=again_s, untried=True)
    return EventStatus.RECEIVED


def _open_for_s(session: Session, account_id: UUID, charge: ListedCharge) -> float | None:
    """Wall seconds until the open attempt of the charge's invoice is looked at again; None where there is none."""
    by_intent = select(PaymentIntent.invoice_id).where(
        PaymentIntent.provider_account_id == account_id, PaymentIntent.intent_ref == charge.intent_ref
    )
    invoices = {*session.scalars(by_intent), as_uuid(charge.metadata_invoice)} - {None}
    waiting = session.execute(
        select(Payment.next_check_at).where(
            Payment.provider_account_id == account_id,
            Payment.invoice_id.in_(invoices),
            Payment.status.in_(OPEN_PAYMENT),
        )
    ).first()
    if waiting is None:
        return None
    due = waiting.next_check_at
    return max(0.0, (due - wall_now(session)).total_seconds()) if due else 0.0


def adopt_dispute(parts: Parts, account_id: UUID, dispute_ref: str) -> DisputeFacts:
    """Take over what the provider shows of a dispute, whose event may never have come. Returns that.

    What our row shows already is left alone, and so is a dispute of no charge of ours. Raises what the provider raises.
    """
    facts = parts.provider(account_id).read_dispute(dispute_ref)
    with parts.begin() as session:
        charged = charge_of_ours(session, account_id, facts.charge_ref)
        if charged is not None:
            invoice, row = _lock(session, account_id, charged, facts)
            if row not in session or not _shows(row, facts):
                note_dispute(session, dispute=row, invoice=invoice, facts=facts, now=parts.clock.now(session))
    return facts


def _lock(session: Session, account_id: UUID, charged: Charged, facts: DisputeFacts) -> tuple[Invoice, Dispute]:
    """The invoice that has the money now, then the dispute: its row, or a new one that is not written yet."""
    invoice = lock_successor(session, charged.invoice_id)
    row = session.scalars(
        select(Dispute)
        .where(Dispute.provider_account_id == account_id, Dispute.dispute_ref == facts.dispute_ref)
        .with_for_update()
    ).one_or_none()
    if row is None:
        return invoice, new_dispute(invoice=invoice, payment_id=charged.payment_id, account_id=account_id, facts=facts)
    if row.withdrawn_minor:
        # Its money was booked on the document that it was of then.
        invoice = session.get_one(Invoice, row.invoice_id)
    row.invoice_id = invoice.id
    return invoice, row


def _shows(row: Dispute, facts: DisputeFacts) -> bool:
    ours = (row.status, row.amount_minor, row.refundable, row.withdrawn_minor, row.reinstated_minor)
    theirs = (facts.status, facts.amount_minor, facts.refundable, facts.withdrawn_minor, facts.reinstated_minor)
    return ours == theirs


def charge_of_ours(session: Session, account_id: UUID, charge_ref: str) -> Charged | None:
    """The invoice that a charge was for: by its attempt, or by money that no attempt asked for."""
    payment = session.execute(
        select(Payment.invoice_id, Payment.id).where(
            Payment.provider_account_id == account_id, Payment.charge_ref == charge_ref
        )
    ).one_or_none()
    if payment is not None:
        return Charged(payment.invoice_id, payment.id)
    stray = session.scalars(
        select(UnappliedPayment.invoice_id).where(
            UnappliedPayment.provider_account_id == account_id,
            UnappliedPayment.charge_ref == charge_ref,
        )
    ).one_or_none()
    return Charged(stray, None) if stray is not None else None
