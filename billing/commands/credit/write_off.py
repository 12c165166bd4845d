"""Write off what was carried forward, where no next invoice is going to ask for it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.credit.move import move_carried_forward
from billing.commands.ledger.post import post
from billing.models import Account, Profile
from billing.queries.paying_out import carried_forward_of


def write_off_carried_forward(session: Session, *, profile_id: UUID, now: datetime) -> dict[str, int]:
    """In every currency: Dr write-off, Cr carried forward. Returns what it was, in minor units; idempotent.

    The caller holds the profile.
    """
    seller_id = session.get_one(Profile, profile_id).seller_id
    found = carried_forward_of(session, profile_id)
    for currency, amount in found.items():
        post(
            session,
            kind="write_off",
            seller_id=seller_id,
            profile_id=profile_id,
            currency=currency,
            sides=((Account.WRITE_OFF, amount), (Account.CARRIED_FORWARD, -amount)),
            now=now,
        )
    move_carried_forward(session, {(seller_id, profile_id, currency): -amount for currency, amount in found.items()})
    return found
