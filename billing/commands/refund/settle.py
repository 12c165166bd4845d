"""Settle what a failed refund still owes: it goes into the customer's balance, or was paid another way."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.commands.credit.settle import settle
from billing.commands.ledger.post import post
from billing.kernel.errors import Fault, Refused
from billing.kernel.status import FAILED_REFUND, SettledAs
from billing.models import Account, Refund


def settle_refund(session: Session, *, refund: Refund, way: SettledAs, reference: str, now: datetime) -> None:
    """Dr refunds in flight, Cr customer credit or external money: once. The caller holds the profile, then the refund.

    `reference`: what the bank or till calls the payment. Raises `Refused`: `refund_not_failed`, `refund_settled`,
    and what `settle` refuses.
    """
    if refund.status not in FAILED_REFUND:
        raise Refused(Fault("refund", "refund_not_failed", f"it is {refund.status}: the provider sends it, or has"))
    if refund.settled_as is not None:
        raise Refused(Fault("refund", "refund_settled", "its money is settled already; nothing is owed"))
    account = settle(
        session,
        way,
        seller_id=refund.seller_id,
        profile_id=refund.profile_id,
        currency=refund.currency,
        amount_minor=refund.amount_minor,
    )
    refund.settled_as, refund.settled_at, refund.settled_reference = way, now, reference
    session.flush()
    post(
        session,
        kind="refund_settled",
        seller_id=refund.seller_id,
        profile_id=refund.profile_id,
        invoice_id=refund.invoice_id,
        payment_id=refund.payment_id,
        charge_ref=refund.charge_ref if refund.payment_id is None else None,
        currency=refund.currency,
        sides=((Account.REFUNDS_IN_FLIGHT, refund.amount_minor), (account, -refund.amount_minor)),
        now=now,
    )
