"""Settle what is kept apart: it goes into the customer's balance, or was paid back another way."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.commands.credit.settle import settle
from billing.commands.ledger.post import post
from billing.commands.payment.unapplied import take_off
from billing.kernel.errors import Fault, Refused
from billing.kernel.status import SettledAs
from billing.models import Account, Invoice, UnappliedPayment


def settle_unapplied(
    session: Session, *, row: UnappliedPayment, invoice: Invoice, way: SettledAs, now: datetime
) -> int:
    """Dr unapplied payments, Cr customer credit or external money: all that is left of it, in minor units, once.

    Its work item is closed with it. The caller holds the profile, then both rows. Raises `Refused`:
    `nothing_to_settle`, `credit_of_another_currency`, and what `settle` refuses.
    """
    amount = row.left_minor
    if not amount:
        raise Refused(Fault("charge", "nothing_to_settle", "all of it has gone back, or was taken by a dispute"))
    if way is SettledAs.CREDIT and row.currency != invoice.currency:
        mend = f"it came for an invoice in {invoice.currency}; send it back, or pay it back another way"
        raise Refused(Fault("currency", "credit_of_another_currency", mend))
    account = settle(
        session,
        way,
        seller_id=row.seller_id,
        profile_id=invoice.profile_id,
        currency=row.currency,
        amount_minor=amount,
    )
    post(
        session,
        kind="unapplied_settled",
        seller_id=row.seller_id,
        profile_id=invoice.profile_id,
        invoice_id=invoice.id,
        charge_ref=row.charge_ref,
        currency=row.currency,
        sides=((Account.UNAPPLIED_PAYMENTS, amount), (account, -amount)),
        now=now,
    )
    take_off(session, row=row, invoice=invoice, amount_minor=amount, now=now)
    return amount
