"""Write off what was carried forward, where no next invoice is going to ask for it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.credit.move import move_forwarded
from billing.commands.ledger.post import post
from billing.models import Account, CreditBalance


def write_off_forwarded(session: Session, *, profile_id: UUID, now: datetime) -> dict[str, int]:
    """In every currency: Dr write-off, Cr carried forward. Returns what it was, in minor units; idempotent.

    The caller holds the profile.
    """
    left = CreditBalance.profile_id == profile_id, CreditBalance.forwarded_minor > 0
    found = session.scalars(select(CreditBalance).where(*left).order_by(CreditBalance.currency)).all()
    for row in found:
        amount = row.forwarded_minor
        post(
            session,
            kind="write_off",
            seller_id=row.seller_id,
            profile_id=profile_id,
            currency=row.currency,
            sides=((Account.WRITE_OFF, amount), (Account.CARRIED_FORWARD, -amount)),
            now=now,
        )
    written_off = {row.currency: row.forwarded_minor for row in found}
    move_forwarded(session, {(row.seller_id, profile_id, row.currency): -row.forwarded_minor for row in found})
    return written_off
