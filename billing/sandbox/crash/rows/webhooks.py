"""Rows 59 to 63: webhooks doubled, reordered, early, and a receiver that dies before or after its commit."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import repeat

from billing.sandbox.crash.case import Case, Row, Story, Trace
from billing.sandbox.crash.kills import DROP_ALL, kill_receiver
from billing.sandbox.crash.processes import thaw
from billing.sandbox.crash.stage import NotReached, Stage
from billing.sandbox.crash.world import DECLINES_ONCE, START, Customer, World

_RETRIED = World(
    customers=(Customer("a1", card=DECLINES_ONCE), Customer("a2")), moments=(START, START + timedelta(days=3))
)


def _repeated(times: int, at_once: int) -> Story:
    """One delivery so many times, so many of them at once."""

    def story(stage: Stage) -> None:
        stage.receiver()
        stage.worker("worker", concurrency=2)
        stage.play(lambda: bool(stage.events()))
        event = stage.events()[-1]
        with ThreadPoolExecutor(at_once) as senders:
            statuses = Counter(senders.map(stage.deliver, repeat(event, times)))
        stage.expect(statuses[200] == times, f"answers were {dict(statuses)}")
        stage.hurt(times)
        stage.play()
        rows = stage.count(f"SELECT count(*) FROM billing.provider_event WHERE event_ref = '{event['id']}'")  # noqa: S608
        stage.expect(rows == 1, f"{rows} rows of one event")

    return story


def _reordered(stage: Stage) -> None:
    """The provider keeps all to itself; then everything comes, the newest first."""
    stage.witness.add_faults(DROP_ALL)
    stage.receiver()
    stage.worker()
    stage.play()
    stage.witness.clear_faults()
    # The list is newest first.
    for event in stage.events():
        stage.expect(stage.deliver(event) == 200, "a delivery was refused")
    stage.hurt()


def _chance_order(stage: Stage) -> None:
    stage.witness.add_faults({"kind": "webhook_reorder", "rate": 0.6}, {"kind": "webhook_duplicate", "rate": 0.4})
    stage.receiver()
    stage.worker("worker", concurrency=2)
    stage.hurt()


def _early(hit: int) -> Story:
    """The event comes and is handled while the worker that charged stands still before its record."""

    def story(stage: Stage) -> None:
        stage.receiver()
        stage.worker(faults=f"charge.answered=stop@{hit}")
        frozen = stage.reach("charge.answered")
        stage.worker("worker-2")
        handled = "SELECT count(*) FROM billing.provider_event WHERE status IN ('processed', 'ignored')"
        if not stage.play(lambda: stage.count(handled) > 0):
            raise NotReached("an early event")
        stage.hurt()
        thaw(frozen)

    return story


def _killed(row: str, point: str) -> Row:
    title = {"61": "receiver killed before its commit", "62": "receiver killed after its commit, before its answer"}[
        row
    ]

    def cases(trace: Trace) -> list[Case]:
        return [
            Case(row, f"receiver {point}@{hit}", kill_receiver(point, hit), may_miss=hit > 1)
            for hit in range(1, trace.receiver[point] + 1)
        ]

    return Row(row, title, cases)


ROWS = (
    Row(
        "59",
        "a webhook many times",
        lambda _: [
            Case("59", "20 at once", _repeated(20, 20)),
            Case("59", "200 over time", _repeated(200, 2)),
        ],
    ),
    Row(
        "60",
        "webhooks in another order",
        lambda _: [
            Case("60", "newest first, after the fact", _reordered, world=_RETRIED),
            Case("60", "by chance, and doubled", _chance_order),
        ],
    ),
    _killed("61", "hook.pre_commit"),
    _killed("62", "hook.committed"),
    Row(
        "63",
        "a webhook before our own record",
        lambda _: [Case("63", f"at charge.answered@{hit}", _early(hit), may_miss=hit > 1) for hit in (1, 2, 4)],
    ),
)
