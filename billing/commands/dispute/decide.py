"""Decide on a lost dispute: the debt that it reopened is written off, or credited to the customer by a credit note."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.commands.dispute.work import LOST
from billing.commands.ledger.post import post
from billing.commands.work_item.close import close_for
from billing.kernel.errors import Fault, Refused
from billing.models import Account, Dispute, Invoice


def require_undecided(dispute: Dispute) -> None:
    """Raise `Refused` (`dispute_not_lost`, `dispute_decided`) unless it is lost and waits for a decision."""
    if not dispute.reopened_minor:
        mend = f"it is {dispute.status}, and no debt is open by it; only a lost one is decided on"
        raise Refused(Fault("dispute", "dispute_not_lost", mend))
    if dispute.decision is not None:
        raise Refused(Fault("dispute", "dispute_decided", f"it was decided already: {dispute.decision}"))


def write_off(session: Session, *, dispute: Dispute, invoice: Invoice, now: datetime) -> None:
    """Dr write-off, Cr receivable. The caller holds both rows."""
    _give_up(session, dispute, invoice, dispute.owed_minor, now)
    _decided(session, dispute, "write_off", now)


def credited(session: Session, *, dispute: Dispute, invoice: Invoice, amount_minor: int, now: datetime) -> None:
    """Its credit note over `amount_minor` is issued: Dr deferred revenue and tax, Cr receivable.

    What of the debt is more than that had been credited before: the customer has both, and it is given up.
    """
    if amount_minor < dispute.owed_minor:
        _give_up(session, dispute, invoice, dispute.owed_minor - amount_minor, now)
    _decided(session, dispute, "credit_note", now)


def _give_up(session: Session, dispute: Dispute, invoice: Invoice, amount_minor: int, now: datetime) -> None:
    post(
        session,
        kind="dispute_write_off",
        seller_id=dispute.seller_id,
        profile_id=dispute.profile_id,
        invoice_id=dispute.invoice_id,
        payment_id=dispute.payment_id,
        charge_ref=dispute.charge_ref,
        currency=invoice.currency,
        sides=((Account.WRITE_OFF, amount_minor), (Account.RECEIVABLE, -amount_minor)),
        now=now,
    )
    dispute.given_up_minor += amount_minor


def _decided(session: Session, dispute: Dispute, decision: str, now: datetime) -> None:
    dispute.decision, dispute.decided_at = decision, now
    session.flush()
    close_for(session, kind=LOST, subject_id=dispute.id, now=now)
