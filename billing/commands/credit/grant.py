"""Grant credit: the customer's next documents in that currency use it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.credit.move import move_balances, require_room
from billing.commands.ledger.post import post
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.money import MOST_AMOUNT
from billing.models import Account, Profile
from billing.queries.profile import lock_person
from billing.validators.checks import Checks


def grant_credit(
    session: Session, *, profile_id: UUID, amount_minor: int, currency: str, now: datetime, prepaid: bool = False
) -> None:
    """Put `amount_minor` into the balance: Dr promotional credit, Cr customer credit. Not idempotent.

    `prepaid`: the customer has paid it another way, for no invoice: Dr external money (DECISIONS 31).

    Raises `Refused`: `out_of_range`, `unknown_currency`, `profile_not_found`, `profile_erased`, `balance_too_large`.
    """
    checks = Checks()
    checks.whole("amount", amount_minor, least=1, most=MOST_AMOUNT)
    checks.currency("currency", currency)
    checks.done()
    lock_person(session, profile_id)
    profile = session.get_one(Profile, profile_id)
    require_room(session, profile_id=profile.id, currency=currency, amount_minor=amount_minor)
    source = Account.EXTERNAL_MONEY if prepaid else Account.PROMOTIONAL_CREDIT
    move_balances(session, {(profile.seller_id, profile.id, currency): amount_minor})
    post(
        session,
        kind="credit_grant",
        seller_id=profile.seller_id,
        profile_id=profile.id,
        currency=currency,
        sides=(
            (source, amount_minor),
            (Account.CUSTOMER_CREDIT, -amount_minor),
        ),
        now=now,
    )
    emit(
        session,
        topic=Topic.CREDIT_GRANTED,
        object_type="profile",
        object_id=profile.id,
        seller_id=profile.seller_id,
        now=now,
        payload={"profile_id": str(profile.id), "amount_minor": amount_minor, "currency": currency},
    )
