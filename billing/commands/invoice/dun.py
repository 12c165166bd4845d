"""Dun: what follows a scheduled moment that brought no money, for the invoice and for its subscription."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.subscription.end import end_subscription
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.status import SubscriptionStatus
from billing.models import Invoice, Profile, Seller, Subscription
from billing.rules.dunning import DeclineClass, DunningPolicy, FinalAction, OverLimit, next_try
from billing.rules.retry_time import Hours, within_hours

_TOPICS = {
    SubscriptionStatus.PAST_DUE: Topic.SUBSCRIPTION_PAST_DUE,
    SubscriptionStatus.UNPAID: Topic.SUBSCRIPTION_UNPAID,
}


_ENDS = (SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE, SubscriptionStatus.PAUSED)


def policy_of(seller: Seller) -> DunningPolicy:
    """The seller's retry delays, hours, limits and final action."""
    first, end = seller.retry_first_h, seller.retry_end_h
    return DunningPolicy(
        retries=tuple(timedelta(seconds=delay) for delay in seller.dunning_retry_s),
        final=FinalAction(seller.dunning_final),
        hours=None if first is None or end is None else Hours(first, end),
        over_limit=OverLimit(seller.card_limit),
    )


def retry_moment(session: Session, invoice: Invoice, policy: DunningPolicy, at: datetime) -> datetime:
    """`at`, moved forward into the seller's hours by the customer's clock. The same invoice and step, the same moment.

    Reads the profile, once a session.
    """
    if policy.hours is None:
        return at
    zone = session.get_one(Profile, invoice.profile_id).timezone
    return within_hours(at, hours=policy.hours, zone=zone, seed=invoice.id.int + invoice.dunning_step)


def pass_moment(invoice: Invoice, policy: DunningPolicy, *, now: datetime) -> bool:
    """Note on the invoice that its scheduled moment has come. False where this try is outside the schedule.

    A try that a new method or a person asked for neither uses nor moves the schedule (scenario contract, rule 11),
    also where a scheduled moment was missed before it; only the very first try begins it in any case.
    """
    extra, invoice.extra_try = invoice.extra_try, False
    if invoice.dunning_at is None:
        if not invoice.on_schedule:
            return False
        invoice.dunning_at = now
        return True
    step = invoice.dunning_step
    if not extra and step < len(policy.retries) and now >= invoice.dunning_at + policy.retries[step]:
        invoice.dunning_at = now
        invoice.dunning_step = step + 1
        return True
    return False


def dun(
    session: Session, *, invoice: Invoice, policy: DunningPolicy, decline: DeclineClass, scheduled: bool, now: datetime
) -> None:
    """Set the next moment, or decide. `scheduled`: the try belonged to the schedule, so its end may be final.

    The caller holds the invoice's row. `now` is business time.
    """
    invoice.waits_for_method = decline is not DeclineClass.SOFT
    if invoice.final_decision is not None or invoice.dunning_at is None:
        invoice.next_attempt_at = None
        _subscription(session, invoice, None, now)
        return
    following = next_try(policy, retries_used=invoice.dunning_step, scheduled_at=invoice.dunning_at, decline=decline)
    invoice.next_attempt_at = following.at and retry_moment(session, invoice, policy, following.at)
    if scheduled and following.final is not None:
        invoice.final_decision = following.final
    _subscription(session, invoice, FinalAction(invoice.final_decision) if invoice.final_decision else None, now)


def decide(session: Session, *, invoice: Invoice, policy: DunningPolicy, now: datetime) -> None:
    """End the schedule of an open invoice now, as if its last moment had brought no money."""
    invoice.next_attempt_at = None
    invoice.extra_try = False
    invoice.final_decision = policy.final
    _subscription(session, invoice, policy.final, now)


def _subscription(session: Session, invoice: Invoice, final: FinalAction | None, now: datetime) -> None:
    if invoice.subscription_id is None:
        return
    subscription = session.scalars(
        select(Subscription).where(Subscription.id == invoice.subscription_id).with_for_update(key_share=True)
    ).one()
    before = subscription.status
    if final is FinalAction.CANCEL and before in _ENDS:
        end_subscription(session, subscription=subscription, now=now)
        return
    if final is FinalAction.UNPAID and before in (SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE):
        subscription.status = SubscriptionStatus.UNPAID
    elif before == SubscriptionStatus.ACTIVE:
        subscription.status = SubscriptionStatus.PAST_DUE
    if subscription.status != before:
        emit(
            session,
            topic=_TOPICS[SubscriptionStatus(subscription.status)],
            object_type="subscription",
            object_id=subscription.id,
            seller_id=subscription.seller_id,
            now=now,
            payload={"subscription_id": str(subscription.id), "invoice_id": str(invoice.id)},
        )
