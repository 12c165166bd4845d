"""What a customer pays from period to period: a wallet wants to know it before it gives a card for good.

Apple Pay gives a number that outlives the telephone (a merchant token) only for an agreement with an amount and an
interval (docs.stripe.com/apple-pay/merchant-tokens). Where no single one can be told, nothing is, and the card is given
by the telephone's own number.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from billing.flows.links import opened_link
from billing.flows.parts import Parts
from billing.flows.previewing import preview_renewal
from billing.kernel.errors import Refused
from billing.kernel.money import exponent
from billing.models import Subscription
from billing.privacy.link import LinkKind
from billing.privacy.sealed import SealBroken
from billing.queries.subscription import subscriptions_going_on

_DECIMALS = 2
_OTHER_UNITS = frozenset({"mga"})
"""Two decimals in our books, and none in the provider's form."""


@dataclass(frozen=True, slots=True)
class Recurring:
    """The next invoice without what is used by then: its total, in minor units of two decimals."""

    amount_minor: int
    unit: str
    """day | month | year"""
    count: int
    starts_at: datetime


def recurring(parts: Parts, token: str) -> Recurring | None:
    """Of the link's customer; None where they have not just one subscription that goes on. Reads only.

    Raises `Refused`: of the link.
    """
    with parts.begin() as session:
        link, profile = opened_link(parts, session, token)
        going_on = subscriptions_going_on(session, profile.id)
        if link.kind is LinkKind.DOCUMENT or len(going_on) != 1:
            return None
        return _told(parts, session, going_on[0])


def _told(parts: Parts, session: Session, row: Subscription) -> Recurring | None:
    if exponent(row.currency) != _DECIMALS or row.currency in _OTHER_UNITS or row.next_due_at is None:
        return None
    try:
        document = preview_renewal(parts, session, row, now=parts.clock.now(session))
    except (Refused, SealBroken):
        # The renewal itself will say what is wrong with it.
        return None
    if document is None or document.totals.total_minor <= 0:
        return None
    weeks = row.interval_unit == "week"
    return Recurring(
        amount_minor=document.totals.total_minor,
        unit="day" if weeks else row.interval_unit,
        count=row.interval_count * (7 if weeks else 1),
        starts_at=row.next_due_at,
    )
