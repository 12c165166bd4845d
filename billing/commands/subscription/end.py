"""End a subscription: nothing of it is due any more."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.clock import format_instant
from billing.kernel.status import SubscriptionStatus, require_move
from billing.models import Subscription


def end_subscription(session: Session, *, subscription: Subscription, at: datetime, now: datetime) -> None:
    """Cancel a locked subscription as of `at`; its running period is cut there. `now` is when that is told.

    Raises `Refused` (`subscription_move_not_allowed`).
    """
    require_move(SubscriptionStatus(subscription.status), SubscriptionStatus.CANCELED)
    subscription.status = SubscriptionStatus.CANCELED
    subscription.next_due_at = None
    subscription.ended_at = at
    start, end = subscription.current_period_start, subscription.current_period_end
    if start is not None and end is not None and start < at < end:
        subscription.current_period_end = at
    session.flush()
    emit(
        session,
        topic=Topic.SUBSCRIPTION_CANCELED,
        object_type="subscription",
        object_id=subscription.id,
        seller_id=subscription.seller_id,
        now=now,
        payload={"profile_id": str(subscription.profile_id), "ended_at": format_instant(at)},
    )
