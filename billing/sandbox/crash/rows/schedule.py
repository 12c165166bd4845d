"""Rows 49 to 52: beat killed at each tick, absent, doubled, its file spoilt; a sweep that dies in the middle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

from billing.sandbox.crash.case import Case, Row, Story, Trace
from billing.sandbox.crash.kills import killed
from billing.sandbox.crash.stage import Stage
from billing.sandbox.crash.world import NO_FUNDS, START, Customer, World

_SENT = "Sending due task"
_KILLS = 6
_PEOPLE = (Customer("a1"), Customer("a2", subscriptions=2))
_MONTHS = World(customers=_PEOPLE, moments=(START, datetime(2026, 4, 2, tzinfo=UTC)), months=3)
"""Two boundaries pass, 28 February and 31 March, while beat is away."""
_DAYS = World(
    customers=(*_PEOPLE, Customer("a3", card=NO_FUNDS, pays=False)), moments=(START, START + timedelta(days=3))
)


def _killed_at_each_tick(stage: Stage) -> None:
    """Beat dies after one tick more each time."""
    stage.receiver()
    stage.worker()
    for nth in range(1, _KILLS + 1):
        beat = stage.beat()
        enough = _ticks(stage) + nth
        stage.wait(partial(_has_ticked, stage, enough), "beat's ticks")
        beat.kill_group()
        stage.hurt()
    stage.beat()


def _away(stage: Stage) -> None:
    """Nothing ticks while months pass; all periods are billed when it is back."""
    stage.receiver()
    stage.worker()
    stage.play(lambda: stage.quiet)
    stage.ticking = False
    stage.skip()
    stage.hurt()
    stage.beat()


def _beats(count: int) -> Story:
    def story(stage: Stage) -> None:
        stage.receiver()
        stage.worker("worker", concurrency=2)
        stage.worker("worker-2", concurrency=2)
        for number in range(count):
            stage.beat(f"beat-{number}")
        stage.hurt()

    return story


_GARBAGE = b"\x00\xff no schedule of anybody's"


def _schedule_spoilt(stage: Stage) -> None:
    """Where beat is told to keep its schedule lies garbage, then nothing: it starts, ticks, and keeps nothing there."""
    kept = stage.living_folder / "schedule"
    kept.write_bytes(_GARBAGE)
    stage.receiver()
    stage.worker()
    for nth, left in enumerate(([kept], []), start=1):
        beat = stage.beat("beat", "--schedule", str(kept))
        stage.wait(partial(_has_ticked, stage, 2 * nth), "beat's ticks")
        beat.kill_group()
        stage.hurt()
        found = sorted(stage.living_folder.glob("schedule*"))
        stage.expect(found == left, f"beat keeps {[each.name for each in found]}")
        stage.expect(all(each.read_bytes() == _GARBAGE for each in found), "beat wrote into its schedule's file")
        kept.unlink(missing_ok=True)
    stage.beat()


def _has_ticked(stage: Stage, times: int) -> bool:
    return _ticks(stage) >= times


def _ticks(stage: Stage) -> int:
    return stage.said("beat", _SENT)


def _half(faults: str, *points: str) -> Story:
    """The sweep or slice dies at these points, one after the other."""

    def story(stage: Stage) -> None:
        stage.receiver()
        stage.worker(faults=faults)
        for point in points:
            killed(stage, point)

    return story


def _halves(_: Trace) -> list[Case]:
    return [
        Case("52", "planned, not committed: renewals.planned@1", _half("renewals.planned=kill", "renewals.planned")),
        Case(
            "52",
            "second slice before its commit: renewals.commit@2",
            _half("renewals.commit=kill@2", "renewals.commit"),
        ),
        Case(
            "52",
            "numbers taken, not committed: renewals.numbered@2",
            _half("renewals.numbered=kill@2", "renewals.numbered"),
        ),
        Case(
            "52",
            "renewals.commit@2, then while halving: renewals.halved@1",
            _half("renewals.commit=kill@2,renewals.halved=kill", "renewals.commit", "renewals.halved"),
        ),
        Case("52", "charges planned, not committed: charge.planned@1", _half("charge.planned=kill", "charge.planned")),
    ]


ROWS = (
    Row(
        "49",
        "beat killed at each tick, or away",
        lambda _: [
            Case("49", "killed at each tick", _killed_at_each_tick),
            Case("49", "three days away", _away, world=_DAYS),
            Case("49", "two months away", _away, world=_MONTHS),
        ],
    ),
    Row("50", "two beats, five beats", lambda _: [Case("50", f"{count} beats", _beats(count)) for count in (2, 5)]),
    Row(
        "51",
        "beat's schedule is garbage, or gone",
        lambda _: [Case("51", "garbage, then nothing", _schedule_spoilt)],
    ),
    Row("52", "a sweep killed after half its batch", _halves),
)
