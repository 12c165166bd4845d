"""Refunds of money kept apart: reserved by a person's order, or made in the dashboard and taken over.

Dr unapplied payments, Cr refunds in flight; when it has arrived, as every refund. There is no document to correct.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.commands.ledger.post import post
from billing.commands.payment.unapplied import take_off
from billing.commands.refund.record import note_facts
from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_id
from billing.kernel.status import OPEN_REFUND, RefundStatus
from billing.models import Account, Invoice, Refund, UnappliedPayment
from billing.providers.port import RefundFacts

_MAKES_NO_MORE = (RefundStatus.FAILED, RefundStatus.CANCELED)


def reserve_unapplied(
    session: Session, *, row: UnappliedPayment, invoice: Invoice, amount_minor: int, now: datetime, wall: datetime
) -> Refund:
    """Write a refund of `amount_minor` of it, to be sent at once. The caller holds both rows.

    Raises `Refused` (`nothing_to_refund`, `amount_not_representable`).
    """
    if not row.left_minor:
        raise Refused(Fault("charge", "nothing_to_refund", "all of it has gone back, or was taken by a dispute"))
    if amount_minor <= 0:
        raise Refused(Fault("amount", "amount_not_representable", "the provider moves this currency in larger steps"))
    refund = Refund(
        id=new_id(),
        seller_id=row.seller_id,
        invoice_id=invoice.id,
        unapplied_payment_id=row.id,
        profile_id=invoice.profile_id,
        provider_account_id=row.provider_account_id,
        charge_ref=row.charge_ref,
        amount_minor=amount_minor,
        currency=row.currency,
        opened_at=now,
        status=RefundStatus.PENDING,
        token=0,
        next_check_at=wall,
        checks=0,
    )
    session.add(refund)
    session.flush()
    post(
        session,
        kind="unapplied_refund",
        seller_id=row.seller_id,
        profile_id=invoice.profile_id,
        invoice_id=invoice.id,
        charge_ref=row.charge_ref,
        currency=row.currency,
        sides=((Account.UNAPPLIED_PAYMENTS, amount_minor), (Account.REFUNDS_IN_FLIGHT, -amount_minor)),
        now=now,
    )
    take_off(session, row=row, invoice=invoice, amount_minor=amount_minor, now=now)
    return refund


def adopt_unapplied(
    session: Session, *, row: UnappliedPayment, invoice: Invoice, facts: RefundFacts, now: datetime, wall: datetime
) -> bool:
    """Take over a refund that somebody made at the provider. False, and nothing done, where it moves nothing, or more
    than is left. The caller holds both rows, and has looked that we have no refund of that id.
    """
    fits = facts.currency == row.currency and 0 < facts.amount_minor <= row.left_minor
    if not fits or RefundStatus(facts.status) in _MAKES_NO_MORE:
        return False
    refund = reserve_unapplied(session, row=row, invoice=invoice, amount_minor=facts.amount_minor, now=now, wall=wall)
    note_facts(session, refund=refund, facts=facts, now=now, wall=wall)
    assert refund.status in OPEN_REFUND or refund.status == RefundStatus.SUCCEEDED
    return True
