"""Cancel a subscription, now or at the end of what is paid, or take a scheduled cancel back. Open invoices go on."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Session

from billing.commands.subscription.tell import tell_updated
from billing.commands.subscription.terms import interval_of
from billing.kernel.clock import format_instant
from billing.kernel.errors import Fault, Refused
from billing.kernel.period import boundary, period_no_at
from billing.models import Subscription
from billing.rules.walk import STUB


class CancelWhen(StrEnum):
    """At once, or when the running period is over."""

    NOW = "now"
    PERIOD_END = "period_end"


class Unused(StrEnum):
    """Where what is paid and not used goes: into the customer's balance, or back to the method that paid."""

    BALANCE = "balance"
    REFUND = "refund"


def gives_back(when: CancelWhen, *, prorate: bool, unused: Unused = Unused.BALANCE) -> bool:
    """Whether a cancel gives back what is paid and not used: who says that it be refunded has said so too.

    Raises `Refused` (`nothing_unused`) for the end of the period.
    """
    wanted = prorate or unused is Unused.REFUND
    if wanted and when is not CancelWhen.NOW:
        mend = "say now; at the end of the period nothing is unused, so leave prorate and a refund out there"
        raise Refused(Fault("when", "nothing_unused", mend))
    return wanted


def put_cancel(session: Session, *, subscription: Subscription, when: CancelWhen, now: datetime) -> None:
    """Set `cancel_at`, at which the renewal flow ends a locked subscription that is billed up to `now`.

    A repeat of `period_end` changes nothing; `now` makes it due at once.
    """
    if when is CancelWhen.NOW:
        subscription.cancel_at = subscription.next_due_at = now
        session.flush()
        return
    at = _end_of_what_runs(subscription, now)
    if subscription.cancel_at == at:
        return
    subscription.cancel_at = at
    tell_updated(session, subscription, now, {"cancel_at": format_instant(at)})


def uncancel(session: Session, *, subscription: Subscription, now: datetime) -> None:
    """Go on after the running period. Raises `Refused` (`not_canceling`)."""
    if subscription.cancel_at is None:
        raise Refused(Fault("subscription", "not_canceling", "no cancel is scheduled; it goes on as it is"))
    subscription.cancel_at = None
    tell_updated(session, subscription, now, {"cancel_at": None})


def _end_of_what_runs(subscription: Subscription, now: datetime) -> datetime:
    """The next boundary after `now`, or the later one up to which all is billed or was paid elsewhere.

    Where a stub is yet to begin, its start: nothing of it is billed.
    """
    if subscription.next_period_no == STUB:
        return subscription.started_at
    interval = interval_of(subscription.interval_unit, subscription.interval_count)
    anchor, zone = subscription.anchor_at, subscription.timezone
    running = period_no_at(anchor, zone, interval, now)
    return boundary(anchor, zone, interval, max(running + 1, subscription.next_period_no))
