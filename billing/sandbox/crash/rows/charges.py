"""Rows 1 to 10: death at every point of a charge, and a COMMIT whose answer is lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from billing.sandbox.crash import kills
from billing.sandbox.crash.case import Case, Row, Story, Trace
from billing.sandbox.crash.processes import end
from billing.sandbox.crash.proxy import Proxy
from billing.sandbox.crash.stage import NotReached, Stage

AT: dict[str, tuple[str, ...]] = {
    "1": ("charge.planned", "charge.pre_freeze", "charge.freeze_commit"),
    "2": ("charge.frozen", "charge.marked", "charge.sending"),
    "3": ("charge.answered",),
    "5": ("charge.record",),
    "7": ("charge.recorded",),
}
"""The rows that are kills of the child at points of the charge. Row 8 is all other points."""
RESOLVING = {"resolve.claimed", "resolve.asked"}
"""Whether a run comes by these is a race with the webhook, so they are killed where none comes."""


def at_every_hit(row: str) -> Callable[[Trace], list[Case]]:
    """Each hit, in the recorded run, of each of the row's points."""
    return lambda trace: _children(row, {point: trace.worker[point] for point in AT[row]})


def _every_other(trace: Trace) -> list[Case]:
    charging = {point for points in AT.values() for point in points}
    others = {point: hits for point, hits in trace.worker.items() if point not in charging | RESOLVING}
    return [
        *_children("8", others),
        *_children("8", {point: trace.deaf[point] for point in RESOLVING}, deaf=True),
    ]


def _children(row: str, points: Mapping[str, int], *, deaf: bool = False) -> list[Case]:
    said = "deaf child" if deaf else "child"
    return [
        Case(row, f"{said} {point}@{hit}", kills.kill_child(point, hit, deaf=deaf), may_miss=hit > 1)
        for point, hits in sorted(points.items())
        for hit in range(1, hits + 1)
    ]


def first_and_last(row: str, how: str, story: Callable[[str, int], Story]) -> Callable[[Trace], list[Case]]:
    """The first and the last hit of every point."""

    def cases(trace: Trace) -> list[Case]:
        return [
            Case(row, f"{how} {point}@{hit}", story(point, hit), may_miss=hit > 1)
            for point, hits in sorted(trace.worker.items())
            if point not in RESOLVING
            for hit in sorted({1, hits})
        ]

    return cases


def _in_flight(kind: str, nth: int) -> Story:
    """SIGKILL to the child while the provider has its request: done already, or not yet."""

    def story(stage: Stage) -> None:
        stage.receiver()
        worker = stage.worker()
        if nth > 1:
            stage.play(
                lambda: stage.count("SELECT count(*) FROM billing.payment WHERE status = 'succeeded'") >= nth - 1
            )
        stage.witness.add_faults({"kind": kind, "next": 1, "path": stage.house.charges, "method": "POST"})
        struck = stage.play(lambda: any(fault["hits"] for fault in stage.witness.faults()))
        children = worker.children()
        if not struck or not children:
            raise NotReached(f"{kind} in flight")
        for child in children:
            end(child)
        stage.hurt()

    return story


def _lost_commit(label: str, hit: int) -> Story:
    """The server commits, and the connection ends before the worker learns of it."""

    def story(stage: Stage) -> None:
        proxy = Proxy(stage.database_url or "", cut=label, hit=hit)
        direct, stage.database_url = stage.database_url, proxy.url
        stage.worker()
        stage.database_url = direct
        stage.receiver()
        stage.at_end(proxy.close)
        if not stage.play(lambda: proxy.was_cut):
            raise NotReached(label)
        stage.hurt()

    return story


def _lost_commits(trace: Trace) -> list[Case]:
    return [
        Case("6", f"commit {label}@{hit}", _lost_commit(label, hit), may_miss=True)
        for label, hits in sorted(trace.commits.items())
        for hit in sorted({1, hits})
    ]


def _held(_: Trace) -> list[Case]:
    return [
        Case("4", f"in flight, {said} (after {nth - 1} payments)", _in_flight(kind, nth))
        for kind, said in (("timeout_after", "money moved"), ("timeout_before", "nothing done"))
        for nth in (1, 3)
    ]


ROWS = (
    Row("1", "kill before the freeze is committed", at_every_hit("1")),
    Row("2", "kill after the freeze, before the call", at_every_hit("2")),
    Row("3", "kill after the intent exists, its id not stored", at_every_hit("3")),
    Row("4", "kill with the request at the provider", _held),
    Row("5", "kill with the answer received, not recorded", at_every_hit("5")),
    Row("6", "COMMIT done, its answer lost", _lost_commits),
    Row("7", "kill after recording, before the broker hears", at_every_hit("7")),
    Row("8", "kill of the child at every other point", _every_other),
    Row("9", "kill of the worker's parent, the child goes on later", first_and_last("9", "parent", kills.kill_parent)),
    Row("10", "kill of the whole tree", first_and_last("10", "tree", kills.kill_tree)),
)
