"""Cancel a subscription, now or at the end of what is paid. Open invoices and their retries go on."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.expected_version import require_version
from billing.commands.subscription.end import end_subscription
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.clock import format_instant
from billing.kernel.errors import Fault, Refused
from billing.kernel.period import Interval, IntervalUnit, boundary, period_no_at
from billing.kernel.status import SubscriptionStatus
from billing.models import Subscription
from billing.queries.subscription import lock_subscription


class CancelWhen(StrEnum):
    """At once, or when the running period is over."""

    NOW = "now"
    PERIOD_END = "period_end"


def cancel_subscription(
    session: Session, *, subscription_id: UUID, when: CancelWhen, now: datetime, expected_version: int | None = None
) -> Subscription:
    """`now` ends it; `period_end` sets `cancel_at`, where the renewal flow ends it. No money moves either way.

    A repeat of `period_end` changes nothing. Raises `Refused`: `subscription_not_found`, `subscription_canceled`,
    `renewal_due` (`now` only: what has begun is billed first); `Stale`.
    """
    subscription = lock_subscription(session, subscription_id)
    require_version(subscription, expected_version)
    if subscription.status == SubscriptionStatus.CANCELED:
        raise Refused(Fault("subscription", "subscription_canceled", "it is over; subscribe anew"))
    if when is CancelWhen.NOW:
        if subscription.next_due_at is not None and subscription.next_due_at <= now and subscription.hold_id is None:
            raise Refused(Fault("subscription", "renewal_due", "a period has begun that is not billed yet; try again"))
        end_subscription(session, subscription=subscription, at=now, now=now)
        return subscription
    at = _end_of_what_runs(subscription, now)
    if subscription.cancel_at == at:
        return subscription
    subscription.cancel_at = at
    session.flush()
    emit(
        session,
        topic=Topic.SUBSCRIPTION_UPDATED,
        object_type="subscription",
        object_id=subscription.id,
        seller_id=subscription.seller_id,
        now=now,
        payload={"profile_id": str(subscription.profile_id), "cancel_at": format_instant(at)},
    )
    return subscription


def _end_of_what_runs(subscription: Subscription, now: datetime) -> datetime:
    """The next boundary after `now`, or the later one up to which all is billed or was paid elsewhere."""
    interval = Interval(IntervalUnit(subscription.interval_unit), subscription.interval_count)
    anchor, zone = subscription.anchor_at, subscription.timezone
    running = period_no_at(anchor, zone, interval, now)
    return boundary(anchor, zone, interval, max(running + 1, subscription.next_period_no))
