"""Settle what a failed refund still owes: it goes into the customer's balance, or was paid another way."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.commands.credit.settle import settle
from billing.commands.ledger.post import post
from billing.kernel.errors import Fault, Refused
from billing.kernel.status import FAILED_REFUND, SettledAs
from billing.models import Account, Refund
from billing.queries.dispute import disputes_of


def settle_refund(session: Session, *, refund: Refund, way: SettledAs, reference: str, now: datetime) -> None:
    """Dr refunds in flight, Cr customer credit or external money: once. The caller holds the profile, then the refund.

    `reference`: what the bank or till calls the payment. Raises `Refused`: `refund_not_failed`, `refund_settled`,
    `charge_disputed`, and what `settle` refuses.
    """
    if refund.status not in FAILED_REFUND:
        raise Refused(Fault("refund", "refund_not_failed", f"it is {refund.status}: the provider sends it, or has"))
    if refund.settled_as is not None:
        raise Refused(Fault("refund", "refund_settled", "its money is settled already; nothing is owed"))
    account_id, charge_ref = refund.provider_account_id, refund.charge_ref
    if disputes_of(session, profile_id=refund.profile_id, account_id=account_id, charge_ref=charge_ref).open:
        raise Refused(Fault("refund", "charge_disputed", "a dispute of it is open and may take it; wait for its end"))
    account = settle(
        session,
        way,
        seller_id=refund.seller_id,
        profile_id=refund.profile_id,
        currency=refund.currency,
        amount_minor=refund.amount_minor,
    )
    write_settled(session, refund, way, account, reference=reference, now=now)


def write_settled(
    session: Session, refund: Refund, way: str | None, account: Account, *, reference: str | None, now: datetime
) -> None:
    """Dr refunds in flight, Cr `account`; the reverse where `way` is None, which takes it back.

    `way`: a `SettledAs`, or `SETTLED_BY_DISPUTE`.
    """
    refund.settled_as, refund.settled_reference = way, reference
    refund.settled_at = None if way is None else now
    session.flush()
    amount = -refund.amount_minor if way is None else refund.amount_minor
    post(
        session,
        kind="refund_settled",
        seller_id=refund.seller_id,
        profile_id=refund.profile_id,
        invoice_id=refund.invoice_id,
        payment_id=refund.payment_id,
        charge_ref=refund.charge_ref if refund.payment_id is None else None,
        currency=refund.currency,
        sides=((Account.REFUNDS_IN_FLIGHT, amount), (account, -amount)),
        now=now,
    )
