"""Change: other items from now on, prorated or not, with another interval a new period. Pure; the flow writes it.

Source: the scenario contract, rule 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.invoice.planned import PlannedLine
from billing.commands.subscription.biller import Biller, waiting_windows
from billing.commands.subscription.planned import Advance, RecordedPeriod, Turned
from billing.commands.subscription.prorate import charges_for, credits_for, may_prorate
from billing.commands.subscription.tell import tell_updated
from billing.commands.subscription.terms import interval_of, rhythm, running_span, settled_items, window_of
from billing.kernel.period import Interval, boundary
from billing.kernel.status import PeriodDisposition
from billing.models import Subscription
from billing.queries.charged import Charged
from billing.queries.standing import Item, Standing
from billing.queries.usage import UsageWindow
from billing.rules.walk import STUB, Span


class ChangeWhen(StrEnum):
    """At once, or when the running period is over."""

    NOW = "now"
    PERIOD_END = "period_end"


class Proration(StrEnum):
    """`prorate`: credits and charges wait for the next invoice. `invoice_now`: all that waits is issued at once.

    `none`: neither; the item keeps the line that charged it.
    """

    PRORATE = "prorate"
    NONE = "none"
    INVOICE_NOW = "invoice_now"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The complete new list of items, one-off ones included, and what is done about the rest of the period."""

    items: Sequence[Item]
    proration: Proration


def windows_until(standing: Standing, subscription_id: UUID, closes: Span) -> list[UsageWindow]:
    """The stretches of time whose usage is due if the running period closes now, in whole or for some items."""
    metered = [item for item in standing.items[subscription_id] if item.price.usage]
    return [
        *waiting_windows(standing, subscription_id),
        *(window_of(subscription_id, item, closes) for item in metered),
    ]


def plan_change(biller: Biller, wanted: Wanted, charged: Charged | None, *, now: datetime) -> None:
    """Plan it into the biller's plan. `charged` is null where no period is billed yet: then only the items change."""
    running, row = running_span(biller.row), biller.row
    before = interval_of(row.interval_unit, row.interval_count)
    after = rhythm(wanted.items)
    new = settled_items(biller.items, wanted.items, at=now)
    one_offs = biller.one_offs(wanted.items)
    if running is None or charged is None:
        biller.wait(one_offs)
        _change_unbilled(biller, new, before, after, now=now)
    elif before != after:
        biller.wait(one_offs)
        _restart(biller, new, after, charged, running, credit=wanted.proration is not Proration.NONE, now=now)
    else:
        _replace(biller, new, charged, running, proration=wanted.proration, now=now)
        biller.wait(one_offs)
        if wanted.proration is Proration.INVOICE_NOW:
            biller.write(Span(now, running.end), [])
        _move(biller, Turned(now, tuple(new), row.anchor_at, row.anchor_no, before))


def _replace(
    biller: Biller, new: list[Item], charged: Charged, running: Span, *, proration: Proration, now: datetime
) -> None:
    """Lines for what goes, comes, or changes its quantity; metered items that go are closed here."""
    old = biller.items
    before = {item.price.id: item.quantity for item in old}
    after = {item.price.id: item.quantity for item in new}
    if proration is not Proration.NONE:
        leaving = [item for item in old if item.price.id not in after or after[item.price.id] != item.quantity]
        coming = [item for item in new if item.price.id not in before or before[item.price.id] != item.quantity]
        credits_ = credits_for(biller, charged, leaving, at=now, end=running.end)
        charges = charges_for(biller, coming, at=now, running=running)
        if may_prorate(charged, [line for _, line in credits_] + charges, now=now):
            biller.wait([*biller.after_drafts(credits_), *charges])
    gone = [item for item in old if item.price.id not in after]
    biller.wait(biller.metered(Span(running.start, now), items=gone))


def _restart(
    biller: Biller,
    new: list[Item],
    interval: Interval,
    charged: Charged,
    running: Span,
    *,
    credit: bool,
    now: datetime,
) -> None:
    """A new period begins at once, with an invoice for all that is over and for the new one."""
    row = biller.row
    credits_: list[PlannedLine] = []
    if credit:
        found = credits_for(biller, charged, biller.items, at=now, end=running.end)
        if may_prorate(charged, [line for _, line in found], now=now):
            credits_ = biller.after_drafts(found)
    used = biller.metered(Span(running.start, now))
    biller.items = new
    opened = Span(now, boundary(now, row.timezone, interval, 1))
    licensed = biller.licensed(opened)
    document = biller.write(opened, [*credits_, *used, *licensed])
    anchor_no = row.anchor_no + 1
    biller.made.cuts.append((row.id, row.anchor_no, row.next_period_no - 1, now))
    biller.made.periods.append(
        RecordedPeriod(
            row.seller_id,
            row.id,
            anchor_no,
            0,
            opened,
            PeriodDisposition.BILLED if document and licensed else PeriodDisposition.EMPTY,
            document.id if document and licensed else None,
        )
    )
    _move(biller, Turned(now, tuple(new), now, anchor_no, interval), opened=opened, next_period_no=1)


def _change_unbilled(biller: Biller, new: list[Item], before: Interval, after: Interval, *, now: datetime) -> None:
    """Nothing is billed yet: only the items change, and the first period to bill is as long as they say.

    With another interval that period is number 0: the number that it had (what came before was paid elsewhere, or it
    is a stub) was counted in the old one.
    """
    row = biller.row
    k = row.next_period_no
    if before == after or k == 0:
        _move(biller, Turned(now, tuple(new), row.anchor_at, row.anchor_no, after))
        return
    begins = row.started_at if k == STUB else boundary(row.anchor_at, row.timezone, before, k)
    _move(biller, Turned(now, tuple(new), begins, row.anchor_no + 1, after), next_period_no=0)


def _move(biller: Biller, turned: Turned, *, opened: Span | None = None, next_period_no: int | None = None) -> None:
    """The row, with its new items. A cancel that is due at the end of the period goes with that end."""
    row = biller.row
    ends_later = opened is not None and row.cancel_at is not None
    biller.made.advances.append(
        Advance(
            subscription_id=row.id,
            seller_id=row.seller_id,
            profile_id=row.profile_id,
            status=row.status,
            next_period_no=row.next_period_no if next_period_no is None else next_period_no,
            next_due=opened.end if opened else row.next_due_at,
            current=opened,
            coupon_used=biller.coupon_used,
            cancel_at=opened.end if opened and ends_later else row.cancel_at,
            ended_at=None,
            turned=turned,
        )
    )


def schedule_change(
    session: Session, *, subscription: Subscription, items: Sequence[Item], now: datetime, told: Mapping[str, str]
) -> None:
    """Let `items` hold from the end of the running period on. Replaces what was scheduled before.

    `told` stands in the event besides.
    """
    subscription.scheduled_items = [{"price_id": str(item.price.id), "quantity": item.quantity} for item in items]
    tell_updated(session, subscription, now, {"changes_at": "period_end", **told})
