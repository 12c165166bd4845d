"""Trial ends and boundaries, one by one or caught up after an outage (rules 3, 7 and 12)."""

import itertools
from dataclasses import dataclass

from tests.oracle import collection, documents, items, times, usage
from tests.oracle.state import Line, Period, Subscription, World
from tests.oracle.times import Moment


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """What one boundary brought: its lines, and the period that it opened or, at a cancel, ended."""

    at: Moment
    period: Period
    waiting: list[Line]
    metered: list[Line]
    licensed: list[Line]
    charged: bool

    @property
    def lines(self) -> list[Line]:
        return [*self.waiting, *self.metered, *self.licensed]


def open_period(*, sub: Subscription, k: int) -> None:
    """Begins the period [boundary(k), boundary(k + 1)), which nothing has charged yet."""
    sub.k, sub.start, sub.end = k, sub.boundary(k=k), sub.boundary(k=k + 1)
    sub.trial = False
    if sub.status == "trialing":
        sub.status = "active"
    sub.billed = sub.status != "paused"
    sub.charges = []
    for item in sub.items:
        item.line = None


def bill_now(*, world: World, sub: Subscription, lines: list[Line], period: Period) -> None:
    """Issues the waiting lines and these, and charges the invoice."""
    document = documents.issue(world=world, customer=sub.customer, sub=sub, lines=sub.drained() + lines, period=period)
    collection.collect(world=world, document=document)


def _due(*, world: World, sub: Subscription) -> bool:
    return sub.status != "canceled" and sub.end <= world.now


def catch_up(*, world: World, sub: Subscription) -> None:
    """Does every boundary of a subscription that is due, by the seller's policy."""
    policy = world.seller.get("catch_up", "bill_each")
    if sub.status == "paused" or policy == "bill_each":
        while _due(world=world, sub=sub):
            _bill(world=world, sub=sub, crossings=[_cross(world=world, sub=sub)], skip=False)
        return
    crossings = []
    while _due(world=world, sub=sub):
        crossings.append(_cross(world=world, sub=sub))
    if crossings:
        _bill(world=world, sub=sub, crossings=crossings, skip=policy == "skip")


def _bill(*, world: World, sub: Subscription, crossings: list[Crossing], skip: bool) -> None:
    """One invoice for these boundaries: of all their lines, or without the licensed ones of closed periods."""
    last = crossings[-1]
    period, lines = last.period, [line for crossing in crossings for line in crossing.lines]
    if skip:
        lines = [line for crossing in crossings for line in crossing.waiting]
        lines += [line for crossing in crossings for line in crossing.metered] + last.licensed
        _note_skipped(world=world, sub=sub, crossings=crossings)
    elif len(crossings) > 1:
        period = (crossings[0].at, last.period[1])
    document = documents.issue(world=world, customer=sub.customer, sub=sub, lines=lines, period=period)
    if last.charged:
        collection.collect(world=world, document=document)


def _note_skipped(*, world: World, sub: Subscription, crossings: list[Crossing]) -> None:
    for before, after in itertools.pairwise(crossings):
        start, end = times.text(at=before.at), times.text(at=after.at)
        world.skipped_periods.append({"subscription": sub.name, "period_start": start, "period_end": end})


def _cross(*, world: World, sub: Subscription) -> Crossing:
    """Passes one boundary; in a pause, its lines wait."""
    at, ended, charged = sub.end, (sub.start, sub.end), sub.status != "unpaid"
    metered = usage.lines(world=world, sub=sub, end=at)
    if sub.canceling:
        waiting = [] if sub.trial else sub.drained()
        sub.status = "canceled"
        return Crossing(at=at, period=ended, waiting=waiting, metered=metered, licensed=[], charged=charged)
    _turn(world=world, sub=sub, at=at)
    open_period(sub=sub, k=sub.k + 1)
    opened = (sub.start, sub.end)
    if sub.status == "paused":
        sub.waiting += metered
        return Crossing(at=at, period=opened, waiting=[], metered=[], licensed=[], charged=charged)
    waiting, licensed = sub.drained(), items.charge_period(world=world, sub=sub)
    return Crossing(at=at, period=opened, waiting=waiting, metered=metered, licensed=licensed, charged=charged)


def _turn(*, world: World, sub: Subscription, at: Moment) -> None:
    """A scheduled change takes hold; with another rhythm the boundaries count from here."""
    if sub.scheduled is None:
        return
    recurring, once = items.split(world=world, items=sub.scheduled)
    sub.items = items.replaced(world=world, sub=sub, items=recurring, since=at)
    sub.waiting += [items.one_off(world=world, item=entry) for entry in once]
    rhythm = items.rhythm(world=world, items=recurring)
    if rhythm != (sub.interval, sub.count):
        (sub.interval, sub.count), sub.anchor, sub.k = rhythm, at, -1
    sub.scheduled = None
