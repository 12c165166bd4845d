"""Lift a subscription's hold: what is due of it is billed with the next sweep."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.queries.subscription import lock_subscription


def lift_subscription(session: Session, *, subscription_id: UUID) -> bool:
    """Lift the hold; False where there is none. Raises `Refused` (`subscription_not_found`)."""
    subscription = lock_subscription(session, subscription_id)
    if subscription.hold_id is None:
        return False
    subscription.hold_id = None
    session.flush()
    return True
