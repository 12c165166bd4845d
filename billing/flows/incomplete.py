"""Incomplete: a subscription that is active only once its first invoice is paid, and given up after 23 hours.

Its invoice is a draft without a number until then; it is issued in the transaction that records the payment
(DECISIONS 34). Where it was billed for more than one period by then, such as a short first one before its anchor, the
first that is paid activates it, and the others are issued as any other invoice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import structlog
from sqlalchemy import select, text, tuple_
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from billing.commands.invoice.retry import has_attempt_in_flight
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.flows.canceling import all_canceled, cancel_intents, tell_stuck
from billing.flows.drafts import release
from billing.flows.in_turn import raise_all
from billing.flows.parts import Parts
from billing.kernel.errors import ProviderRefused, ProviderUnavailable, ProviderUncertain, Refused
from billing.kernel.status import OPEN_PAYMENT, InvoiceStatus, SubscriptionStatus
from billing.models import Invoice, Subscription
from billing.queries.same_database import is_same
from billing.queries.subscription import lock_subscription

_log = structlog.get_logger(__name__)
PAGE = 100
_BEFORE_ALL = (datetime.min.replace(tzinfo=UTC), UUID(int=0))


def complete(parts: Parts, session: Session, drafts: Sequence[UUID], *, now: datetime) -> None:
    """First payments have come: issue the drafts and activate what waited for them. The caller books the payments.

    The caller holds their customers and subscriptions, and them; they are released together, for the series come next.
    """
    release(parts, session, drafts, now=now, held=True)
    waited = (
        select(Subscription)
        .where(
            Subscription.id.in_(select(Invoice.subscription_id).where(Invoice.id.in_(drafts))),
            Subscription.status == SubscriptionStatus.INCOMPLETE,
        )
        .order_by(Subscription.profile_id, Subscription.code)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    for subscription in session.scalars(waited).all():
        subscription.status = SubscriptionStatus.ACTIVE
        subscription.expires_at = None
        session.flush()
        _tell(session, subscription, Topic.SUBSCRIPTION_ACTIVE, now)


_NOT_UNDER_WAY = f"""NOT EXISTS (SELECT FROM billing.payment p WHERE p.invoice_id = d.id
                          AND p.status IN ({", ".join(f"'{status}'" for status in sorted(OPEN_PAYMENT))}))"""
_LEFT = text(
    f"""
    SELECT d.id FROM billing.invoice d JOIN billing.subscription s ON s.id = d.subscription_id
    WHERE d.status = 'draft' AND d.review_until IS NULL AND d.hold_id IS NULL
      AND s.status NOT IN ('incomplete', 'incomplete_expired') AND {_NOT_UNDER_WAY}
    ORDER BY d.id LIMIT :most FOR NO KEY UPDATE OF d SKIP LOCKED
    """  # noqa: S608 (our own words)
)
# Asked once more behind the locks: an attempt may have been opened since the statement before began.
_PART_WITH = text(
    f"""
    UPDATE billing.invoice d
    SET review_until = :now, next_attempt_at = NULL, version = d.version + 1, updated_at = clock_timestamp()
    WHERE d.id = ANY(:left) AND {_NOT_UNDER_WAY}
    """  # noqa: S608 (our own words)
)


def part_with(parts: Parts) -> int:
    """Drafts that no subscription waits for any more are issued by the next sweep of drafts. Returns how many are.

    One whose payment is under way is left: it is issued by that, or looked at again.
    """
    with parts.begin() as session:
        left = session.scalars(_LEFT, {"most": PAGE}).all()
        done = session.execute(_PART_WITH, {"now": parts.clock.now(session), "left": left})
        return done.rowcount  # type: ignore[attr-defined, no-any-return]


def sweep(parts: Parts) -> int:
    """Give up what has waited too long. Returns how many; one whose payment is under way is looked at again later.

    None while it is open whether the database was restored: its payment may be among what is not there. What one raises
    that nobody foresaw keeps no other from it, and is raised in the end.
    """
    done, after, faults = 0, _BEFORE_ALL, list[Exception]()
    while True:
        with parts.begin() as session:
            if not is_same(session):
                break
            due = _due(session, after, now=parts.clock.now(session))
        for _, id_ in due:
            try:
                done += _give_up(parts, id_)
            except OperationalError:
                raise
            except Exception as fault:  # noqa: BLE001 (whatever it is, the others are given up; it is raised below)
                faults.append(fault)
        if len(due) < PAGE:
            break
        after = due[-1]
    raise_all(faults, failed="several subscriptions were not given up")
    return done


def _due(session: Session, after: tuple[datetime, UUID], *, now: datetime) -> list[tuple[datetime, UUID]]:
    """A page of those whose time is over, oldest first. Who can't be given up now keeps no other from it."""
    place = (Subscription.expires_at, Subscription.id)
    query = select(*place).where(
        text("status = 'incomplete'"), Subscription.expires_at <= now, tuple_(*place) > tuple_(*after)
    )
    return [(at, id_) for at, id_ in session.execute(query.order_by(*place).limit(PAGE)) if at is not None]


def _give_up(parts: Parts, subscription_id: UUID) -> bool:
    """Cancel its intents first, so that nobody pays what is no more; then its draft and itself expire."""
    with parts.begin() as session:
        drafts = _drafts(session, subscription_id)
        if any(has_attempt_in_flight(session, draft.id) for draft in drafts):
            return False
    try:
        if not cancel_intents(parts, [draft.id for draft in drafts]):
            return False
    except (ProviderUnavailable, ProviderUncertain, ProviderRefused, Refused) as unclear:
        _log.info("incomplete_not_given_up", subscription=str(subscription_id), reason=type(unclear).__name__)
        tell_stuck(parts, [draft.id for draft in drafts], unclear)
        return False
    with parts.begin() as session:
        # The draft after its customer and its subscription, as whoever records its payment.
        subscription = lock_subscription(session, subscription_id)
        drafts = _drafts(session, subscription_id)
        now = parts.clock.now(session)
        if (
            subscription.status != SubscriptionStatus.INCOMPLETE
            or any(has_attempt_in_flight(session, draft.id) for draft in drafts)
            or not all_canceled(session, [draft.id for draft in drafts])
        ):
            return False
        for draft in drafts:
            draft.status, draft.next_attempt_at = InvoiceStatus.EXPIRED, None
        subscription.status = SubscriptionStatus.INCOMPLETE_EXPIRED
        subscription.next_due_at = None
        session.flush()
        _tell(session, subscription, Topic.SUBSCRIPTION_EXPIRED, now)
    return True


def _drafts(session: Session, subscription_id: UUID) -> list[Invoice]:
    query = select(Invoice).where(Invoice.subscription_id == subscription_id, Invoice.status == InvoiceStatus.DRAFT)
    return list(session.scalars(query.order_by(Invoice.id).with_for_update(key_share=True)))


def _tell(session: Session, subscription: Subscription, topic: Topic, now: datetime) -> None:
    emit(
        session,
        topic=topic,
        object_type="subscription",
        object_id=subscription.id,
        seller_id=subscription.seller_id,
        now=now,
        payload={"subscription_id": str(subscription.id)},
    )
