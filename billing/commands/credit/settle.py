"""Where money goes that we owe a customer and can't send back: into their balance, or it was paid another way."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.credit.move import move_balances, require_room
from billing.kernel.status import SettledAs
from billing.models import Account


def settle(
    session: Session, way: SettledAs, *, seller_id: UUID, profile_id: UUID, currency: str, amount_minor: int
) -> Account:
    """Move the balance where it is credit. Returns the account that it belongs on; the caller posts it, and holds the
    profile. Raises `Refused` (`balance_too_large`).
    """
    if way is SettledAs.PAID:
        return Account.EXTERNAL_MONEY
    require_room(session, profile_id=profile_id, currency=currency, amount_minor=amount_minor)
    move_balances(session, {(seller_id, profile_id, currency): amount_minor})
    return Account.CUSTOMER_CREDIT
