"""Renew: what each subscription owes at the boundaries that have come. Pure computation; others write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing.commands.invoice.compose import Wallet
from billing.commands.invoice.planned import PlannedLine
from billing.commands.subscription.documents import frame_of, metered_lines, waiting_lines, write_document
from billing.commands.subscription.lines import licensed_line, one_off_line, stub_line, taxed
from billing.commands.subscription.planned import Advance, BillingPlan, RecordedPeriod, Turned
from billing.commands.subscription.terms import interval_of, rhythm, running_span, settled_items, window_of
from billing.kernel.ids import new_id
from billing.kernel.period import boundary
from billing.kernel.status import PeriodDisposition, SubscriptionStatus
from billing.models import Seller
from billing.queries.standing import Item, Standing
from billing.queries.usage import UsageWindow
from billing.rules.proration import ProrationUnit
from billing.rules.walk import STUB, CatchUpPolicy, Schedule, Turn, Walk, document_span, walk


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


def usage_windows(walked: Sequence[Walked]) -> list[UsageWindow]:
    """The stretches of time whose usage is due."""
    windows: list[UsageWindow] = []
    for each in walked:
        items = each.items
        for turn in each.walk.turns:
            if turn.closes is not None:
                windows.extend(window_of(each.row.id, item, turn.closes) for item in items if item.price.usage)
            if turn.turned and each.scheduled is not None:
                items = settled_items(each.items, each.scheduled, at=turn.at)
    return windows


def plan(
    standing: Standing, walked: Sequence[Walked], *, usage: Mapping[UsageWindow, Decimal], parties: Mapping[UUID, bytes]
) -> BillingPlan:
    """Plan every subscription. `usage` has a quantity for each window, `parties` the JSON of both by profile."""
    made = BillingPlan(Wallet(standing.balances, {}))
    for each in walked:
        if each.walk.turns:
            _Renewal(standing, each, usage, parties[each.row.profile_id], made).bill()
    return made


@dataclass(slots=True)
class _Renewal:
    """One subscription on its way through the boundaries."""

    standing: Standing
    walked: Walked
    usage: Mapping[UsageWindow, Decimal]
    parties: bytes
    made: BillingPlan
    items: list[Item] = field(init=False)
    waiting: list[PlannedLine] = field(init=False)
    coupon_used: int = field(init=False)
    billed_by: dict[tuple[int, int], UUID] = field(default_factory=dict)
    turned: Turned | None = None

    def bill(self) -> None:
        walked, row = self.walked, self.walked.row
        self.items, self.coupon_used = walked.items, row.coupon_used
        self.waiting = waiting_lines(self.standing, row)
        if row.paused_at is None:
            for turns in walked.walk.documents:
                self._document(turns)
        else:
            self._pass_paused()
        self._record()

    def _document(self, turns: tuple[Turn, ...]) -> None:
        lines: list[PlannedLine] = []
        for turn in turns:
            lines.extend(self._metered(turn))
            if turn.turned:
                self._turn(turn)
            if turn.disposition is PeriodDisposition.BILLED:
                lines.extend(self._licensed(turn))
        self._write(turns, [*self.waiting, *lines])

    def _pass_paused(self) -> None:
        """Boundaries pass; usage from before the pause waits. Only the end of the subscription is billed."""
        for turn in self.walked.walk.turns:
            used = [line for line in self._metered(turn) if line.quantity != "0"]
            if turn.opens is None:
                self._write((turn,), [*self.waiting, *used])
                continue
            if turn.turned:
                self._turn(turn)
            self._wait(used)

    def _metered(self, turn: Turn) -> list[PlannedLine]:
        if turn.closes is None:
            return []
        return metered_lines(self.standing, self.walked.row, self.items, turn.closes, usage=self.usage)

    def _licensed(self, turn: Turn) -> list[PlannedLine]:
        if turn.opens is None:
            return []
        row, seller = self.walked.row, self.walked.seller
        profile = self.standing.profiles[row.profile_id]
        lines = []
        for item in self.items:
            if item.price.usage is not None:
                continue
            how = taxed(seller, profile, item.price)
            if turn.period_no == STUB:
                full_start = boundary(row.anchor_at, row.timezone, self.walked.walk.interval, STUB)
                unit = ProrationUnit(seller.proration)
                lines.append(stub_line(item, turn.opens, full_start, how, unit=unit, zone=row.timezone))
            else:
                lines.append(licensed_line(item, turn.opens, how))
        return lines

    def _turn(self, turn: Turn) -> None:
        """The scheduled items take over; one-off ones among them become lines of the next document, once."""
        assert self.walked.scheduled is not None
        done = self.walked.walk
        self.items = settled_items(self.items, self.walked.scheduled, at=turn.at)
        self.turned = Turned(tuple(self.items), done.anchor, done.anchor_no, done.interval)
        profile = self.standing.profiles[self.walked.row.profile_id]
        self._wait(
            [
                one_off_line(item, taxed(self.walked.seller, profile, item.price))
                for item in self.walked.scheduled
                if item.price.interval_unit is None
            ]
        )

    def _wait(self, lines: list[PlannedLine]) -> None:
        row = self.walked.row
        kept = [replace(line, id=new_id()) for line in lines]
        self.waiting.extend(kept)
        self.made.waits.extend((row.seller_id, row.id, line) for line in kept)

    def _write(self, turns: tuple[Turn, ...], lines: list[PlannedLine]) -> None:
        if not lines:
            return
        frame = frame_of(self.standing, self.walked.row, self.parties, span=document_span(turns, self.walked.policy))
        document, self.coupon_used = write_document(
            self.standing, self.walked.row, frame, lines, coupon_used=self.coupon_used, wallet=self.made.wallet
        )
        self.made.documents.append(document)
        self.made.taken.extend(line.id for line in self.waiting if line.id is not None)
        self.waiting = []
        for turn in turns:
            if turn.opens is not None and turn.disposition is PeriodDisposition.BILLED:
                self.billed_by[turn.anchor_no, turn.period_no] = document.id

    def _record(self) -> None:
        row, done = self.walked.row, self.walked.walk
        opened = [turn for turn in done.turns if turn.opens is not None]
        for turn in opened:
            assert turn.opens is not None
            document_id, disposition = self.billed_by.get((turn.anchor_no, turn.period_no)), turn.disposition
            if document_id is None and disposition is PeriodDisposition.BILLED:
                disposition = PeriodDisposition.EMPTY
            self.made.periods.append(
                RecordedPeriod(
                    row.seller_id, row.id, turn.anchor_no, turn.period_no, turn.opens, disposition, document_id
                )
            )
        trial_over = row.status == SubscriptionStatus.TRIALING
        status = SubscriptionStatus.ACTIVE if trial_over else row.status
        self.made.advances.append(
            Advance(
                subscription_id=row.id,
                seller_id=row.seller_id,
                profile_id=row.profile_id,
                status=SubscriptionStatus.CANCELED if done.ends else status,
                next_period_no=done.next_period_no,
                next_due=done.next_due,
                current=opened[-1].opens if opened else None,
                coupon_used=self.coupon_used,
                ends=done.ends,
                turned=self.turned,
            )
        )
