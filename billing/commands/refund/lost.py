"""What a bank took back meets refunds of the same payment that never arrived: the customer has that money already."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from billing.commands.refund.settle import write_settled
from billing.commands.work_item.close import close_for
from billing.kernel.status import FAILED_REFUND, SETTLED_BY_DISPUTE, DisputeStatus
from billing.kernel.work import WorkKind
from billing.models import Account, Dispute, Payment, Refund


def settle_by_loss(session: Session, *, payment_id: UUID, now: datetime) -> None:
    """Settle the payment's failed refunds that its lost disputes cover, oldest first. Idempotent.

    Dr refunds in flight, Cr write-off: what a lost dispute took beyond the debt that it reopened was booked as lost. Of
    one in a cardholder's own currency that isn't known. Called when a dispute is lost and when a refund fails,
    whichever comes later: both hold the refunds' rows.
    """
    refunds = _locked(session, payment_id)
    lost = session.scalars(_lost(payment_id)).all()
    left = sum(_beyond(each) for each in lost)
    left -= sum(each.amount_minor for each in refunds if each.settled_as == SETTLED_BY_DISPUTE)
    for refund in refunds:
        if refund.status in FAILED_REFUND and refund.settled_as is None and refund.amount_minor <= left:
            left -= refund.amount_minor
            ref = lost[-1].dispute_ref
            write_settled(session, refund, SETTLED_BY_DISPUTE, Account.WRITE_OFF, reference=ref, now=now)
            close_for(session, kind=WorkKind.REFUND_FAILED, subject_id=refund.id, now=now)


def owe_again(session: Session, *, dispute: Dispute, now: datetime) -> list[Refund]:
    """A loss was turned after all: what it had settled is owed once more. Returns those refunds."""
    if dispute.payment_id is None:
        return []
    again = [
        each
        for each in _locked(session, dispute.payment_id)
        if (each.settled_as, each.settled_reference) == (SETTLED_BY_DISPUTE, dispute.dispute_ref)
    ]
    for refund in again:
        write_settled(session, refund, None, Account.WRITE_OFF, reference=None, now=now)
    return again


def _locked(session: Session, payment_id: UUID) -> Sequence[Refund]:
    query = select(Refund).where(Refund.payment_id == payment_id).order_by(Refund.id)
    return session.scalars(query.with_for_update(key_share=True).execution_options(populate_existing=True)).all()


def _beyond(dispute: Dispute) -> int:
    """What it took beyond its debt, in the payment's currency."""
    if dispute.moved_currency == dispute.currency:
        return dispute.withdrawn_minor - dispute.reinstated_minor - dispute.reopened_minor
    return dispute.beyond_minor


def _lost(payment_id: UUID) -> Select[Dispute]:
    """Lost disputes of it that are in its own currency and have taken something."""
    return (
        select(Dispute)
        .join(Payment, Payment.id == Dispute.payment_id)
        .where(
            Dispute.payment_id == payment_id,
            Dispute.status == DisputeStatus.LOST,
            Dispute.currency == Payment.currency,
            Dispute.moved_currency.is_not(None),
        )
        .order_by(Dispute.id)
    )
