"""Reads of subscriptions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.db.rows import fetch
from billing.kernel.errors import Fault, Refused
from billing.kernel.status import SubscriptionStatus
from billing.models import Subscription
from billing.queries.profile import lock_profile


@dataclass(frozen=True, slots=True)
class KnownSubscription:
    """A subscription as an import compares it: what it began as, not what has become of it."""

    account_id: str
    items: tuple[tuple[str, int | None], ...]
    """(price code, quantity) of what recurs, in order; a metered price has no quantity."""
    started_at: datetime
    anchor_at: datetime
    trial_end: datetime | None
    coupon: str | None
    timezone: str
    paid_through: datetime | None
    collection: str
    days_until_due: int


_KNOWN = text(
    """
    SELECT s.code, f.account_id, s.started_at, s.anchor_at, s.trial_end, c.code AS coupon, s.timezone, s.paid_through,
           s.collection, s.days_until_due,
           array_agg(p.code ORDER BY i.position) AS codes, array_agg(i.quantity ORDER BY i.position) AS quantities
    FROM billing.subscription s
    JOIN billing.profile f ON f.id = s.profile_id
    LEFT JOIN billing.coupon c ON c.id = s.coupon_id
    JOIN billing.subscription_item i ON i.subscription_id = s.id
    JOIN billing.price p ON p.id = i.price_id
    WHERE s.seller_id = :seller AND s.code = ANY(:codes)
    GROUP BY s.id, s.seller_id, f.account_id, c.code
    """
)


def known_subscriptions(session: Session, *, seller_id: UUID, codes: Sequence[str]) -> dict[str, KnownSubscription]:
    """The seller's subscriptions of these codes, by code, in one statement."""
    return {
        row.code: KnownSubscription(
            account_id=row.account_id,
            items=tuple(zip(row.codes, row.quantities, strict=True)),
            started_at=row.started_at,
            anchor_at=row.anchor_at,
            trial_end=row.trial_end,
            coupon=row.coupon,
            timezone=row.timezone,
            paid_through=row.paid_through,
            collection=row.collection,
            days_until_due=row.days_until_due,
        )
        for row in session.execute(_KNOWN, {"seller": seller_id, "codes": list(codes)})
    }


_ITEMS = text(
    """
    SELECT p.code, i.quantity FROM billing.subscription_item i JOIN billing.price p ON p.id = i.price_id
    WHERE i.subscription_id = :id ORDER BY i.position
    """
)


def items_of(session: Session, subscription_id: UUID) -> list[tuple[str, int | None]]:
    """(price code, quantity) of what recurs, in order; a metered price has no quantity."""
    return [(code, quantity) for code, quantity in session.execute(_ITEMS, {"id": subscription_id})]


def lock_subscription(session: Session, subscription_id: UUID) -> Subscription:
    """The row, locked until the transaction ends, after its profile. Raises `Refused` (`subscription_not_found`)."""
    found = session.get(Subscription, subscription_id)
    if found is None:
        raise Refused(Fault("subscription", "subscription_not_found", "give the id of a subscription"))
    lock_profile(session, found.profile_id)
    session.refresh(found, with_for_update=True)
    return found


_LOCK = """
    SELECT id, status FROM billing.subscription
    WHERE id = ANY(%(subscriptions)s) ORDER BY profile_id, code FOR NO KEY UPDATE
"""


def lock_subscriptions(session: Session, ids: Collection[UUID]) -> dict[UUID, SubscriptionStatus]:
    """Lock them in the order in which everything locks several, that of billing. Their statuses by id."""
    rows = fetch(session, _LOCK, subscriptions=list(ids)) if ids else []
    return {row.id: SubscriptionStatus(row.status) for row in rows}


_WHOSE_DRAFTS = """
    SELECT profile_id, subscription_id FROM billing.invoice
    WHERE id = ANY(%(invoices)s) AND (status = 'draft' OR id = ANY(%(carrying)s))
"""
_PROFILES = "SELECT id FROM billing.profile WHERE id = ANY(%(profiles)s) ORDER BY id FOR NO KEY UPDATE"


def lock_whose_drafts(session: Session, invoices: Collection[UUID], *, carrying: Collection[UUID] = ()) -> None:
    """Lock customers and subscriptions of those that are drafts, or are among `carrying`. Whoever may issue a draft, or
    carry a part of one forward, does so before they take it: who changes its subscription, or issues the next, comes by
    the same way.
    """
    found = fetch(session, _WHOSE_DRAFTS, invoices=list(invoices), carrying=list(carrying)) if invoices else []
    if found:
        fetch(session, _PROFILES, profiles=[row.profile_id for row in found])
        lock_subscriptions(session, {row.subscription_id for row in found if row.subscription_id is not None})


_OWES = text(
    """
    SELECT EXISTS (
        SELECT FROM billing.invoice i
        WHERE i.subscription_id = :subscription AND i.status = 'open' AND i.collection = 'automatic'
          AND (i.dunning_at IS NOT NULL
               OR EXISTS (SELECT FROM billing.payment p WHERE p.invoice_id = i.id AND p.status = 'declined')))
    """
)


def owes(session: Session, subscription_id: UUID) -> bool:
    """Whether it has an open invoice that was tried and not paid."""
    return bool(session.scalar(_OWES, {"subscription": subscription_id}))


def subscriptions_going_on(session: Session, profile_id: UUID) -> Sequence[Subscription]:
    """The customer's subscriptions that are charged automatically and of which nobody has asked for the end."""
    return session.scalars(
        select(Subscription)
        .where(
            Subscription.profile_id == profile_id,
            Subscription.status.in_(_GOING_ON),
            Subscription.collection == "automatic",
            Subscription.cancel_at.is_(None),
            Subscription.paused_at.is_(None),
        )
        .order_by(Subscription.id)
    ).all()


_GOING_ON = (SubscriptionStatus.TRIALING, SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE)
