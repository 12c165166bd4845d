"""End a subscription because it was not paid: its last invoice is due at once, and nobody tries to collect it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from billing.commands.slice.cut import cut
from billing.kernel.moves import require_move
from billing.kernel.status import SubscriptionStatus
from billing.models import Subscription


def end_subscription(session: Session, *, subscription: Subscription, now: datetime) -> None:
    """Cancel a locked subscription at `now`, or at the end of its running period where that is over.

    The row stays due: the renewal flow issues what is left and tells that it ended. Raises `Refused`
    (`subscription_move_not_allowed`).
    """
    require_move(SubscriptionStatus(subscription.status), SubscriptionStatus.CANCELED)
    end = subscription.current_period_end
    at = now if end is None else min(now, end)
    subscription.status = SubscriptionStatus.CANCELED
    subscription.cancel_at = subscription.ended_at = at
    subscription.next_due_at = now
    session.flush()
    cut(
        session,
        kind="renewals",
        members=[subscription.profile_id],
        subscriptions=[subscription.id],
        size=1,
    )
