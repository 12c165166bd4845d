"""Money that came another way pays what a lost dispute has put back, or what was written off of that already."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.commands.dispute.work import LOST
from billing.commands.ledger.post import post
from billing.commands.work_item.close import close_for
from billing.models import Account, Dispute


def repay(session: Session, *, dispute: Dispute, currency: str, amount_minor: int, now: datetime) -> None:
    """Dr external money, Cr receivable; of a loss that was decided on, the write-off is taken back first.

    At most `dispute.owed_minor`. A loss that nobody had decided on is decided once nothing of it is owed. `currency` is
    its invoice's, which the caller holds with it.
    """
    assert 0 < amount_minor <= dispute.owed_minor
    if dispute.decision is not None:
        _book(session, dispute, currency, "dispute_write_off_back", amount_minor, now=now)
        dispute.given_up_minor -= amount_minor
    _book(session, dispute, currency, "dispute_repaid", amount_minor, now=now)
    dispute.repaid_minor += amount_minor
    if dispute.decision is None and not dispute.owed_minor:
        dispute.decision, dispute.decided_at = "paid", now
        close_for(session, kind=LOST, subject_id=dispute.id, now=now)
    session.flush()


_SIDES = {
    "dispute_write_off_back": (Account.RECEIVABLE, Account.WRITE_OFF),
    "dispute_repaid": (Account.EXTERNAL_MONEY, Account.RECEIVABLE),
}
"""By kind of entry: what is debited, and what is credited."""


def _book(session: Session, dispute: Dispute, currency: str, kind: str, amount_minor: int, *, now: datetime) -> None:
    debit, credit = _SIDES[kind]
    post(
        session,
        kind=kind,
        seller_id=dispute.seller_id,
        profile_id=dispute.profile_id,
        invoice_id=dispute.invoice_id,
        payment_id=dispute.payment_id,
        charge_ref=dispute.charge_ref,
        currency=currency,
        sides=((debit, amount_minor), (credit, -amount_minor)),
        now=now,
    )
