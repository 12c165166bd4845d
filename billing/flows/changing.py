"""Changing what a subscription is: items, cancel, pause, coupon. Each joins the caller's transaction.

What has come due is billed first, in the same transaction, so that a change acts on the period that runs. Charges are
handed on after commit. A refusal writes nothing, once the caller lets it end the transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.audit_trail.record import ENGINE, record
from billing.commands.expected_version import require_version
from billing.commands.invoice.issue import Issued
from billing.commands.subscription import pause as pausing
from billing.commands.subscription.cancel import CancelWhen, Unused, put_cancel
from billing.commands.subscription.cancel import uncancel as take_back
from billing.commands.subscription.change import ChangeWhen, Proration, schedule_change
from billing.commands.subscription.planned import BillingPlan
from billing.commands.subscription.tell import tell_updated
from billing.flows import drafts, planning
from billing.flows.parts import Parts
from billing.flows.paying_out import pay_out
from billing.flows.renewal import bill_profiles, write_plan
from billing.kernel.errors import Fault, Refused
from billing.kernel.status import SubscriptionStatus
from billing.models import Subscription
from billing.queries.brakes import require_issuing
from billing.queries.catalog import usable_coupon
from billing.queries.paying_out import balance_of, credited_by
from billing.queries.subscription import lock_subscription
from billing.validators.checks import Checks
from billing.validators.subscription import NewItem


@dataclass(slots=True)
class Opened:
    """A locked subscription, billed up to `now`, and the documents that its changing has issued."""

    subscription: Subscription
    now: datetime
    issued: list[Issued] = field(default_factory=list)
    undone: str | None = None
    """What became of the items that were scheduled for the next period: "dropped", "replaced"; null where none were."""


def open_subscription(
    parts: Parts,
    session: Session,
    subscription_id: UUID,
    *,
    expected_version: int | None = None,
    at: datetime | None = None,
) -> Opened:
    """Lock it and bill what is due of it. `at` is the moment of a preview that is applied: it is acted as of then.

    Raises `Refused`: `subscription_not_found`, `subscription_canceled`, `subscription_on_hold` (a work item holds it or
    its customer, or issuing is stopped), `renewal_due` (more is due than is billed at once: try again); `Stale`.
    """
    subscription = lock_subscription(session, subscription_id)
    require_version(subscription, expected_version)
    now = parts.clock.now(session)
    issued: list[Issued] = []
    if subscription.next_due_at is not None and subscription.next_due_at <= now:
        issued = bill_profiles(parts, session, profiles=[subscription.profile_id], only=[subscription.id])
        session.refresh(subscription)
    require_begun_and_going_on(subscription)
    if subscription.next_due_at is not None and subscription.next_due_at <= now:
        if issued:
            raise Refused(Fault("subscription", "renewal_due", "periods have begun that are not billed yet; try again"))
        mend = "a work item holds it or its customer; see `billing work list`"
        raise Refused(Fault("subscription", "subscription_on_hold", mend))
    return Opened(subscription, at or now, issued)


def require_begun_and_going_on(subscription: Subscription) -> None:
    """Raise `Refused`: `subscription_canceled`, `subscription_incomplete`."""
    if subscription.status in (SubscriptionStatus.CANCELED, SubscriptionStatus.INCOMPLETE_EXPIRED):
        raise Refused(Fault("subscription", "subscription_canceled", "it is over; subscribe anew"))
    if subscription.status == SubscriptionStatus.INCOMPLETE:
        mend = "it waits for its first payment; it is active once that has come, or expires by itself"
        raise Refused(Fault("subscription", "subscription_incomplete", mend))


def change(
    parts: Parts,
    session: Session,
    subscription_id: UUID,
    *,
    items: Sequence[NewItem],
    when: ChangeWhen = ChangeWhen.NOW,
    proration: Proration = Proration.PRORATE,
    expected_version: int | None = None,
    at: datetime | None = None,
) -> Opened:
    """Give it `items`, the complete new list. `when` and `proration` as their types say; `at`: see below.

    Raises `Refused`: the faults of items and their prices, `subscription_paused`, `currency_changed`, those of
    `open_subscription`; `Stale`.
    """
    opened = open_subscription(parts, session, subscription_id, expected_version=expected_version, at=at)
    subscription = opened.subscription
    planning.require_changeable(subscription)
    wanted = planning.wanted_items(session, subscription, items, opened.now)
    if subscription.scheduled_items is not None:
        opened.undone = "replaced" if when is ChangeWhen.PERIOD_END else "dropped"
        _note_undone(session, opened)
    told = {"scheduled_change": opened.undone} if opened.undone else {}
    if when is ChangeWhen.PERIOD_END:
        schedule_change(session, subscription=subscription, items=wanted, now=opened.now, told=told)
        return opened
    made = _planning(parts, session, opened)
    planning.change_now(session, made, wanted, proration)
    _write(parts, session, opened, made.plan)
    tell_updated(session, subscription, opened.now, {"changes_at": "now", **told})
    return opened


def cancel(
    parts: Parts,
    session: Session,
    subscription_id: UUID,
    *,
    when: CancelWhen,
    prorate: bool = False,
    unused: Unused = Unused.BALANCE,
    expected_version: int | None = None,
    at: datetime | None = None,
) -> Opened:
    """End it, now with a last invoice of what waits and was used, or when the running period is over.

    `prorate` (with `now`) gives what is paid and unused back into the balance first. With `unused` as `refund` it then
    goes back to the customer's charges, as far as the last invoice has not used it. Raises `Refused`, `Stale` as
    `open_subscription` does, and `refund_exceeds_paid` where the charges don't hold that much.
    """
    opened = open_subscription(parts, session, subscription_id, expected_version=expected_version, at=at)
    subscription, now = opened.subscription, opened.now
    if when is CancelWhen.NOW and prorate:
        made = _planning(parts, session, opened)
        planning.give_back(session, made)
        _write(parts, session, opened, made.plan)
    put_cancel(session, subscription=subscription, when=when, now=now)
    if when is CancelWhen.NOW:
        opened.issued += bill_profiles(parts, session, profiles=[subscription.profile_id], only=[subscription.id])
        session.refresh(subscription)
        if prorate and unused is Unused.REFUND:
            _send_back(parts, session, opened)
    return opened


def uncancel(parts: Parts, session: Session, subscription_id: UUID, *, expected_version: int | None = None) -> Opened:
    """Take a scheduled cancel back. Raises `Refused`: `not_canceling`, those of `open_subscription`; `Stale`."""
    opened = open_subscription(parts, session, subscription_id, expected_version=expected_version)
    take_back(session, subscription=opened.subscription, now=opened.now)
    return opened


def pause(parts: Parts, session: Session, subscription_id: UUID, *, expected_version: int | None = None) -> Opened:
    """Let boundaries pass unbilled. Raises `Refused`: `already_paused`, `not_active`, as above; `Stale`."""
    opened = open_subscription(parts, session, subscription_id, expected_version=expected_version)
    pausing.pause(session, subscription=opened.subscription, now=opened.now)
    return opened


def resume(parts: Parts, session: Session, subscription_id: UUID, *, expected_version: int | None = None) -> Opened:
    """Bill again from the next boundary. Raises `Refused`: `not_paused`, as above; `Stale`."""
    opened = open_subscription(parts, session, subscription_id, expected_version=expected_version)
    pausing.resume(session, subscription=opened.subscription, now=opened.now)
    return opened


def apply_coupon(
    parts: Parts, session: Session, subscription_id: UUID, *, coupon_code: str, expected_version: int | None = None
) -> Opened:
    """Put a coupon in the place of any other, counting anew.

    Raises `Refused`: the faults of the code, `coupon_not_found`, `coupon_of_another_currency`, as above; `Stale`.
    """
    checks = Checks()
    checks.code("coupon", coupon_code)
    checks.done()
    opened = open_subscription(parts, session, subscription_id, expected_version=expected_version)
    subscription = opened.subscription
    coupon = usable_coupon(session, seller_id=subscription.seller_id, code=coupon_code, currency=subscription.currency)
    subscription.coupon_id, subscription.coupon_used = coupon.id, 0
    tell_updated(session, subscription, opened.now, {"coupon": coupon.code})
    return opened


def _note_undone(session: Session, opened: Opened) -> None:
    """Whoever scheduled it, such as the move of a price, finds here what has become of that."""
    subscription = opened.subscription
    record(
        session,
        actor=ENGINE,
        action=f"subscription.schedule_{opened.undone}",
        reason="a change gave the complete new list of items",
        subject_type="subscription",
        subject_id=subscription.id,
        seller_id=subscription.seller_id,
        now=opened.now,
        before={"scheduled_items": subscription.scheduled_items},
    )


def _send_back(parts: Parts, session: Session, opened: Opened) -> None:
    """Pay out what the notes of this order put into the balance and its last invoice left there."""
    subscription = opened.subscription
    notes = credited_by(session, [each.id for each in opened.issued])
    amount = min(notes, balance_of(session, subscription.profile_id, subscription.currency))
    if amount:
        pay_out(parts, session, subscription.profile_id, currency=subscription.currency, amount_minor=amount)


def _write(parts: Parts, session: Session, opened: Opened, plan: BillingPlan) -> None:
    if plan.documents:
        require_issuing(session, opened.subscription.profile_id)
    drafts.give_back(parts, session, plan.on_drafts)
    opened.issued += write_plan(parts, session, plan, now=opened.now)
    session.refresh(opened.subscription)


def _planning(parts: Parts, session: Session, opened: Opened) -> planning.Planning:
    session.flush()
    subscription = opened.subscription
    return planning.begin(
        parts, session, profile_id=subscription.profile_id, subscription_id=subscription.id, now=opened.now
    )
