"""Tell the host application that a subscription is not as it was."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.models import Subscription


def tell_updated(session: Session, subscription: Subscription, now: datetime, more: dict[str, str | None]) -> None:
    """Write the row, and that it was updated. `more` says what is new."""
    session.flush()
    emit(
        session,
        topic=Topic.SUBSCRIPTION_UPDATED,
        object_type="subscription",
        object_id=subscription.id,
        seller_id=subscription.seller_id,
        now=now,
        payload={"profile_id": str(subscription.profile_id), **more},
    )
