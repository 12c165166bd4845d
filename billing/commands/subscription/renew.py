"""Renew: what each subscription owes at the boundaries that have come. Pure computation; others write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.commands.invoice.compose import Wallet
from billing.commands.invoice.planned import Held, PlannedLine
from billing.commands.subscription.biller import Biller, waiting_windows
from billing.commands.subscription.planned import Advance, BillingPlan, RecordedPeriod, Turned
from billing.commands.subscription.terms import interval_of, rhythm, running_span, settled_items, window_of
from billing.kernel.status import PeriodDisposition, SubscriptionStatus
from billing.models import Seller
from billing.queries.standing import Item, Standing
from billing.queries.usage import UsageWindow, Used
from billing.rules.walk import STUB, CatchUpPolicy, Schedule, Span, Turn, Walk, document_span, walk


@dataclass(frozen=True, slots=True)
class Walked:
    """A subscription and the boundaries it has come to."""

    row: Any
    seller: Seller
    policy: CatchUpPolicy
    walk: Walk
    items: list[Item]
    scheduled: list[Item] | None


def walk_all(standing: Standing, *, now: datetime) -> list[Walked]:
    """Walk every subscription to `now`."""
    return [_walked(standing, row, now) for row in standing.subscriptions]


def _walked(standing: Standing, row: Any, now: datetime) -> Walked:
    seller = standing.sellers[row.seller_id]
    policy = CatchUpPolicy(seller.catch_up)
    scheduled = standing.scheduled.get(row.id)
    schedule = Schedule(
        anchor=row.anchor_at,
        zone=row.timezone,
        interval=interval_of(row.interval_unit, row.interval_count),
        anchor_no=row.anchor_no,
        next_period_no=row.next_period_no,
        started_at=row.started_at,
        running=running_span(row),
        cancel_at=row.cancel_at,
        paused=row.paused_at is not None,
        turns_to=None if scheduled is None else rhythm(scheduled),
    )
    done = walk(schedule, policy=policy, now=now, most=seller.catch_up_limit)
    return Walked(row, seller, policy, done, standing.items[row.id], scheduled)


def usage_windows(standing: Standing, walked: Sequence[Walked]) -> list[UsageWindow]:
    """The stretches of time whose usage is due."""
    windows: list[UsageWindow] = []
    for each in walked:
        items = each.items
        windows.extend(waiting_windows(standing, each.row.id))
        for turn in each.walk.turns:
            if turn.closes is not None:
                windows.extend(window_of(each.row.id, item, turn.closes) for item in items if item.price.usage)
            if turn.turned and each.scheduled is not None:
                items = settled_items(each.items, each.scheduled, at=turn.at)
    return windows


def plan(
    standing: Standing,
    walked: Sequence[Walked],
    *,
    usage: Mapping[UsageWindow, Used],
    parties: Mapping[UUID, bytes],
    now: datetime,
) -> BillingPlan:
    """Plan every subscription. `usage` has a quantity for each window, `parties` the JSON of both by profile."""
    made = BillingPlan(Wallet(dict(standing.balances), dict(standing.carried_forward)))
    for each in walked:
        if each.walk.turns:
            _Renewal(each, Biller(standing, each.row, usage, parties[each.row.profile_id], made, now)).bill()
    return made


@dataclass(slots=True)
class _Renewal:
    """One subscription on its way through the boundaries."""

    walked: Walked
    biller: Biller
    billed_by: dict[tuple[int, int], UUID] = field(default_factory=dict)
    turned: Turned | None = None

    def bill(self) -> None:
        if self.walked.row.paused_at is None:
            for turns in self.walked.walk.documents:
                self._document(turns)
        else:
            self._pass_paused()
        self._record()

    def _document(self, turns: tuple[Turn, ...]) -> None:
        if turns[-1].opens is None and turns[-1].closes is None:
            self.biller.drop()  # It ends in its trial, or before it began: nothing was ever due.
            return
        lines: list[PlannedLine] = []
        charged: list[Turn] = []
        for turn in turns:
            if turn.closes is not None:
                lines.extend(self.biller.metered(turn.closes))
            if turn.turned:
                self._turn(turn)
            if turn.opens is not None and turn.disposition is PeriodDisposition.BILLED:
                licensed = self.biller.licensed(turn.opens, stub=turn.period_no == STUB)
                lines.extend(licensed)
                if licensed:
                    charged.append(turn)
        document = self.biller.write(document_span(turns, self.walked.policy), lines)
        if document is None:
            return
        for turn in charged:
            self.billed_by[turn.anchor_no, turn.period_no] = document.id

    def _pass_paused(self) -> None:
        """Boundaries pass; usage from before the pause waits. Only the end of the subscription is billed."""
        paused_at = self.walked.row.paused_at
        for turn in self.walked.walk.turns:
            used = [] if turn.closes is None else self.biller.metered(turn.closes, if_used=True)
            if turn.closes is not None and turn.closes.start >= paused_at:
                # All of it is in the pause: only what came too late for its own period can count here.
                used = [line for line in used if line.quantity != "0"]
            if turn.opens is None:
                self.biller.write(document_span((turn,), self.walked.policy), used)
                continue
            if turn.turned:
                self._turn(turn)
            self.biller.wait(used)

    def _turn(self, turn: Turn) -> None:
        """The scheduled items take over; one-off ones among them become lines of the next document, once."""
        assert self.walked.scheduled is not None
        done = self.walked.walk
        self.biller.items = settled_items(self.biller.items, self.walked.scheduled, at=turn.at)
        self.turned = Turned(turn.at, tuple(self.biller.items), done.anchor, done.anchor_no, done.interval)
        self.biller.wait(self.biller.one_offs(self.walked.scheduled))

    def _record(self) -> None:
        row, done, made = self.walked.row, self.walked.walk, self.biller.made
        opened = [turn for turn in done.turns if turn.opens is not None]
        ended_at = row.cancel_at if done.ends else None
        if ended_at is not None:
            made.cuts.append((row.id, done.anchor_no, done.next_period_no - 1, ended_at))
        for turn in opened:
            assert turn.opens is not None
            document_id, disposition = self.billed_by.get((turn.anchor_no, turn.period_no)), turn.disposition
            if document_id is None and disposition is PeriodDisposition.BILLED:
                disposition = PeriodDisposition.EMPTY
            made.periods.append(
                RecordedPeriod(
                    row.seller_id, row.id, turn.anchor_no, turn.period_no, turn.opens, disposition, document_id
                )
            )
        begins = row.status == SubscriptionStatus.TRIALING or self._begins_unpaid()
        status = SubscriptionStatus.ACTIVE if begins else row.status
        made.advances.append(
            Advance(
                subscription_id=row.id,
                seller_id=row.seller_id,
                profile_id=row.profile_id,
                status=SubscriptionStatus.CANCELED if done.ends else status,
                next_period_no=done.next_period_no,
                next_due=done.next_due,
                current=_running(row, opened, ended_at),
                coupon_used=self.biller.coupon_used,
                cancel_at=row.cancel_at,
                ended_at=ended_at,
                turned=self.turned,
                begins=self._begins_unpaid(),
            )
        )

    def _begins_unpaid(self) -> bool:
        """Whether it is billed for the first time, was to wait for that payment, and nothing of it is to be paid."""
        row = self.walked.row
        if row.status != SubscriptionStatus.INCOMPLETE or row.current_period_start is not None:
            return False
        documents = self.biller.made.documents
        return not any(each.subscription_id == row.id and each.held is Held.FIRST_PAYMENT for each in documents)


def _running(row: Any, opened: Sequence[Turn], ended_at: datetime | None) -> Span | None:
    """The period that is open now, cut where the subscription ended in it; None: the same as before."""
    last = opened[-1].opens if opened else None
    if ended_at is None:
        return last
    start = last.start if last else row.current_period_start
    end = last.end if last else row.current_period_end
    return Span(start, min(end, ended_at)) if start is not None and start < ended_at else last
