"""Dun: what follows moments that brought no money, for invoices and for their subscriptions. Many at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.invoice.move import write_collecting
from billing.commands.notice.of_invoice import news_of_no_money
from billing.commands.notice.tell import tell
from billing.commands.subscription.end import end_subscription
from billing.db.rows import change, fetch
from billing.events.bulk import emit_many, payload
from billing.events.topics import Topic
from billing.kernel.status import InvoiceStatus, SubscriptionStatus
from billing.models import Invoice, Seller, Subscription
from billing.queries.collecting import Collecting, SellerDunning
from billing.queries.subscription import lock_subscriptions
from billing.rules.dunning import DeclineClass, DunningPolicy, FinalAction, OverLimit, next_try
from billing.rules.retry_time import Hours, within_hours

_TOPICS = {
    SubscriptionStatus.PAST_DUE: Topic.SUBSCRIPTION_PAST_DUE,
    SubscriptionStatus.UNPAID: Topic.SUBSCRIPTION_UNPAID,
}


_ENDS = (SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE, SubscriptionStatus.PAUSED)


def policy_of(seller: Seller | SellerDunning) -> DunningPolicy:
    """The seller's retry delays, hours, limits and final action."""
    first, end = seller.retry_first_h, seller.retry_end_h
    return DunningPolicy(
        retries=tuple(timedelta(seconds=delay) for delay in seller.dunning_retry_s),
        final=FinalAction(seller.dunning_final),
        hours=None if first is None or end is None else Hours(first, end),
        over_limit=OverLimit(seller.card_limit),
        fall_back=seller.fall_back,
    )


_ZONES = "SELECT id, timezone FROM billing.profile WHERE id = ANY(%(profiles)s)"


def zones_of(session: Session, invoices: Iterable[tuple[Collecting, DunningPolicy]]) -> dict[UUID, str]:
    """The zone by profile of those customers whose hours matter."""
    profiles = {invoice.profile_id for invoice, policy in invoices if policy.hours is not None}
    return {row.id: row.timezone for row in fetch(session, _ZONES, profiles=list(profiles))} if profiles else {}


def retry_moment(invoice: Collecting, policy: DunningPolicy, at: datetime, zones: Mapping[UUID, str]) -> datetime:
    """`at`, moved on into the seller's hours by the customer's clock. The same invoice and step, the same moment."""
    if policy.hours is None:
        return at
    seed = invoice.id.int + invoice.dunning_step
    return within_hours(at, hours=policy.hours, zone=zones[invoice.profile_id], seed=seed)


def pass_moment(invoice: Collecting | Invoice, policy: DunningPolicy, *, now: datetime) -> bool:
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
    if extra or invoice.final_decision is not None:
        return False
    step = invoice.dunning_step
    if step >= len(policy.retries):
        # The seller has shortened the schedule since: this moment of the longer one is the last.
        invoice.dunning_at = now
        return True
    if now >= invoice.dunning_at + policy.retries[step]:
        invoice.dunning_at = now
        invoice.dunning_step = step + 1
        return True
    return False


@dataclass(frozen=True, slots=True)
class Dunned:
    """An invoice under lock whose moment brought no money.

    `untried_method`: its customer has a default that this try did not use; it is tried at once. `falls_back_to`: so is
    this other method, as part of the same moment of the schedule, which is decided by what comes of it. `decided`: its
    schedule ends now, as if this were its last moment. `payment_id` and `method_id`: what was tried, for what the
    customer is told; without an attempt the moment passed.
    """

    invoice: Collecting
    policy: DunningPolicy
    decline: DeclineClass
    untried_method: bool = False
    falls_back_to: UUID | None = None
    decided: bool = False
    payment_id: UUID | None = None
    method_id: UUID | None = None


def dun(session: Session, dunned: Sequence[Dunned], *, now: datetime) -> None:
    """Set the next moments, or decide, write that, and tell the customers of open invoices. The caller holds those.

    `now` is business time.
    """
    if not dunned:
        return
    zones = zones_of(session, [(each.invoice, each.policy) for each in dunned])
    finals = [_set_next(each, zones, now) for each in dunned]
    write_collecting(session, [each.invoice for each in dunned])
    # A draft's customer is at hand. Its subscription waits for it, and is taken before it by whoever moves that.
    issued = [
        (each, final) for each, final in zip(dunned, finals, strict=True) if each.invoice.status == InvoiceStatus.OPEN
    ]
    _follow(session, [(each.invoice, final) for each, final in issued], now)
    news = [
        news_of_no_money(each.invoice, decline=each.decline, payment_id=each.payment_id, method_id=each.method_id)
        for each, _ in issued
    ]
    tell(session, [each for each in news if each is not None], now=now)


def _set_next(each: Dunned, zones: Mapping[UUID, str], now: datetime) -> FinalAction | None:
    """Returns what happens to the subscription, where that is decided."""
    invoice, final = each.invoice, None
    if each.decided:
        invoice.next_attempt_at, invoice.extra_try, invoice.final_decision = None, False, each.policy.final
        return each.policy.final
    invoice.waits_for_method = each.decline is not DeclineClass.SOFT
    invoice.falls_back_to = each.falls_back_to
    if each.falls_back_to is not None:
        invoice.next_attempt_at, invoice.extra_try = now, True
        return None
    if invoice.final_decision is not None or invoice.dunning_at is None:
        invoice.next_attempt_at = None
    else:
        following = next_try(
            each.policy, retries_used=invoice.dunning_step, scheduled_at=invoice.dunning_at, decline=each.decline
        )
        invoice.next_attempt_at = following.at and retry_moment(invoice, each.policy, following.at, zones)
        if following.final is not None:
            invoice.final_decision = following.final
        final = FinalAction(invoice.final_decision) if invoice.final_decision else None
    if each.untried_method:
        invoice.next_attempt_at, invoice.extra_try, invoice.waits_for_method = now, True, False
    return final


_MOVE = """
    UPDATE billing.subscription s SET status = moved.status, version = s.version + 1, updated_at = clock_timestamp()
    FROM unnest(%(ids)s::uuid[], %(statuses)s::text[]) AS moved(id, status) WHERE s.id = moved.id
"""


def _follow(session: Session, dunned: Sequence[tuple[Collecting, FinalAction | None]], now: datetime) -> None:
    """The subscriptions of the invoices, in their order: past due, unpaid, or ended."""
    named = {invoice.subscription_id for invoice, _ in dunned if invoice.subscription_id is not None}
    if not named:
        return
    status = lock_subscriptions(session, named)
    moved: dict[UUID, tuple[SubscriptionStatus, Collecting]] = {}
    for invoice, final in dunned:
        if invoice.subscription_id is None:
            continue
        before = status[invoice.subscription_id]
        if final is FinalAction.CANCEL and before in _ENDS:
            moved.pop(invoice.subscription_id, None)
            status[invoice.subscription_id] = SubscriptionStatus.CANCELED
            subscription = session.get_one(Subscription, invoice.subscription_id, populate_existing=True)
            end_subscription(session, subscription=subscription, now=now)
            continue
        after = _after(before, final)
        if after is not before:
            status[invoice.subscription_id] = after
            moved[invoice.subscription_id] = after, invoice
    if not moved:
        return
    change(session, _MOVE, ids=list(moved), statuses=[str(after) for after, _ in moved.values()])
    for after in {after for after, _ in moved.values()}:
        emit_many(
            session,
            topic=_TOPICS[after],
            object_type="subscription",
            now=now,
            events=[
                (invoice.seller_id, id_, payload(subscription_id=id_, invoice_id=invoice.id))
                for id_, (status_, invoice) in moved.items()
                if status_ is after
            ],
        )


def _after(before: SubscriptionStatus, final: FinalAction | None) -> SubscriptionStatus:
    if final is FinalAction.UNPAID and before in (SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE):
        return SubscriptionStatus.UNPAID
    return SubscriptionStatus.PAST_DUE if before is SubscriptionStatus.ACTIVE else before
