"""Note a payout, and what became of it, each turn once in the books of those whose money it holds."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.commands.ledger.post import post
from billing.db.base import JsonList
from billing.kernel.ids import new_id
from billing.kernel.moves import allowed
from billing.kernel.status import PayoutStatus
from billing.models import Account, Payout
from billing.providers.listed import PayoutFacts

_BACK = (PayoutStatus.FAILED, PayoutStatus.CANCELED)


def begin_payout(session: Session, *, account_id: UUID, facts: PayoutFacts, now: datetime) -> None:
    """Write the row at which its movements point, before it is known whose they are; nothing is booked. Idempotent."""
    # Of two at once one writes it, and the other waits for that and finds it.
    session.execute(
        insert(Payout)
        .values(
            id=new_id(),
            provider_account_id=account_id,
            payout_ref=facts.payout_ref,
            status=PayoutStatus.PENDING,
            amount_minor=facts.amount_minor,
            currency=facts.currency,
            arrives_at=facts.arrives_at,
            opened_at=now,
            shares=[],
            version=1,
        )
        .on_conflict_do_nothing(index_elements=["provider_account_id", "payout_ref"])
    )


def note_payout(session: Session, *, account_id: UUID, facts: PayoutFacts, shares: JsonList, now: datetime) -> bool:
    """Write the payout's state; False where it is known already, or was passed: an older fact changes nothing.

    Sent: Dr payouts in transit, Cr provider clearing. Paid: Dr bank, Cr payouts in transit. Failed: back to provider
    clearing, from the bank where it had been paid. `shares` count where it has none yet; later it keeps them.
    """
    begin_payout(session, account_id=account_id, facts=facts, now=now)
    query = select(Payout).filter_by(provider_account_id=account_id, payout_ref=facts.payout_ref)
    row = session.scalars(query.with_for_update()).one()
    new = not row.shares
    if new:
        row.shares, row.opened_at, row.status = shares, now, PayoutStatus.PENDING
        # A worker of the release before may have told what it then did not book.
        row.paid_at = row.failed_at = None
        _post(session, row, "payout_sent", (Account.PAYOUTS_IN_TRANSIT, Account.PROVIDER_CLEARING), now)
    before, status = PayoutStatus(row.status), PayoutStatus(facts.status)
    if not allowed(before, status):
        session.flush()
        return new
    if status == PayoutStatus.PAID:
        _post(session, row, "payout_paid", (Account.BANK, Account.PAYOUTS_IN_TRANSIT), now)
        row.paid_at = now
    elif status in _BACK:
        held = Account.BANK if before == PayoutStatus.PAID else Account.PAYOUTS_IN_TRANSIT
        _post(session, row, "payout_failed", (Account.PROVIDER_CLEARING, held), now)
        row.failed_at = now
    row.status, row.arrives_at = status, facts.arrives_at
    session.flush()
    return True


def _post(session: Session, row: Payout, kind: str, sides: tuple[Account, Account], now: datetime) -> None:
    debit, credit = sides
    for share in row.shares:
        amount = share["amount_minor"]
        if amount:
            post(
                session,
                kind=kind,
                seller_id=UUID(share["seller_id"]),
                profile_id=None,
                currency=row.currency,
                sides=((debit, amount), (credit, -amount)),
                now=now,
                charge_ref=row.payout_ref,
            )
