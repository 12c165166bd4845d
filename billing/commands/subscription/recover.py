"""Recover: `past_due` and `unpaid` end when no open failed invoice is left."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.commands.slice.cut import cut_charges
from billing.db.rows import fetch
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.status import SubscriptionStatus
from billing.models import Subscription
from billing.queries.subscription import owes

_NEVER_TRIED = text(
    """
    UPDATE billing.invoice i
    SET next_attempt_at = :now, on_schedule = TRUE, version = i.version + 1, updated_at = clock_timestamp()
    WHERE i.subscription_id = :subscription AND i.status = 'open' AND i.collection = 'automatic' AND NOT i.on_schedule
      AND NOT EXISTS (SELECT FROM billing.payment p WHERE p.invoice_id = i.id)
    RETURNING i.id, i.issued_at
    """
)


_FAILED = """
    SELECT id FROM billing.subscription
    WHERE id = ANY(%(subscriptions)s) AND status IN ('past_due', 'unpaid')
    ORDER BY profile_id, code FOR NO KEY UPDATE
"""


def recover(session: Session, subscriptions: Collection[UUID], *, now: datetime) -> None:
    """Make those active again of which nothing is owed any more; `canceled` stays. What was paid is written before.

    What was issued while one was `unpaid` and never tried is charged now, oldest first (scenario contract, rule 11).
    """
    if not subscriptions:
        return
    for row in fetch(session, _FAILED, subscriptions=list(subscriptions)):
        _recover(session, row.id, now)


def _recover(session: Session, subscription_id: UUID, now: datetime) -> None:
    if owes(session, subscription_id):
        return
    subscription = session.scalars(
        select(Subscription).where(Subscription.id == subscription_id).execution_options(populate_existing=True)
    ).one()
    before = subscription.status
    subscription.status = SubscriptionStatus.ACTIVE
    session.flush()
    if before == SubscriptionStatus.UNPAID:
        due = session.execute(_NEVER_TRIED, {"subscription": subscription_id, "now": now}).all()
        oldest_first = sorted(due, key=lambda row: (row.issued_at, row.id))
        cut_charges(session, invoices=[row.id for row in oldest_first])
    emit(
        session,
        topic=Topic.SUBSCRIPTION_ACTIVE,
        object_type="subscription",
        object_id=subscription.id,
        seller_id=subscription.seller_id,
        now=now,
        payload={"subscription_id": str(subscription.id)},
    )
