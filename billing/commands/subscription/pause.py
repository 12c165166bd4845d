"""Pause and resume: boundaries pass without an invoice, usage stamped meanwhile is never billed.

Source: the scenario contract, rule 7. Dunning of open invoices goes on.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.subscription.tell import tell_updated
from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_id
from billing.kernel.status import SubscriptionStatus
from billing.models import Subscription, SubscriptionPause
from billing.queries.subscription import owes

_PAUSABLE = (SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE)


def pause(session: Session, *, subscription: Subscription, now: datetime) -> None:
    """Pause a locked subscription that is billed up to `now`. Raises `Refused` (`already_paused`, `not_active`)."""
    if subscription.status == SubscriptionStatus.PAUSED:
        raise Refused(Fault("subscription", "already_paused", "resume it, or leave it as it is"))
    if subscription.status not in _PAUSABLE:
        mend = f"it is {subscription.status}; only what is active or past_due can be paused"
        raise Refused(Fault("subscription", "not_active", mend))
    subscription.status = SubscriptionStatus.PAUSED
    subscription.paused_at = now
    session.add(
        SubscriptionPause(id=new_id(), seller_id=subscription.seller_id, subscription_id=subscription.id, starts_at=now)
    )
    tell_updated(session, subscription, now, {"status": SubscriptionStatus.PAUSED})


def resume(session: Session, *, subscription: Subscription, now: datetime) -> None:
    """Bill again from the next boundary; `past_due` if an open failed invoice remains.

    Raises `Refused` (`not_paused`).
    """
    if subscription.status != SubscriptionStatus.PAUSED:
        raise Refused(Fault("subscription", "not_paused", "it is not paused; there is nothing to resume"))
    running = session.scalars(
        select(SubscriptionPause).where(
            SubscriptionPause.subscription_id == subscription.id, SubscriptionPause.ends_at.is_(None)
        )
    ).one()
    failing = owes(session, subscription.id)
    running.ends_at = now
    subscription.paused_at = None
    subscription.status = SubscriptionStatus.PAST_DUE if failing else SubscriptionStatus.ACTIVE
    tell_updated(session, subscription, now, {"status": subscription.status})
