"""Rows 11 to 15: a worker that is told to stop, is stopped for longer than its lease, or dies of the same job again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from datetime import timedelta

from billing.flows.order import Order
from billing.flows.working import Action, act_on_all
from billing.kernel.work import WorkKind
from billing.queries.operations.work import WorkFilter
from billing.sandbox.crash.case import Case, Row, Story, Trace
from billing.sandbox.crash.kills import DROP_ALL, LEFT_FROZEN_S
from billing.sandbox.crash.processes import is_alive, thaw
from billing.sandbox.crash.stage import NotReached, Stage
from billing.sandbox.crash.world import SILENT_AFTER, START, Customer, World
from billing.sandbox.embedded.processes import wait_until

_PAIR = World(customers=(Customer("a1"), Customer("a2", subscriptions=2)))
_ONE = World(customers=(Customer("a1"),))
_ENDS_WITHIN_S = 40.0
"""More than the soft shutdown of a worker."""
_LIMIT_S = 2


def _told_to_stop(fault: dict[str, object]) -> Story:
    """SIGTERM, as a deploy sends it, while the provider has a request."""

    def story(stage: Stage) -> None:
        stage.receiver()
        worker = stage.worker()
        stage.witness.add_faults({**fault, "next": 1, "path": stage.house.charges, "method": "POST"})
        if not stage.play(lambda: any(each["hits"] for each in stage.witness.faults())):
            raise NotReached("a call in flight")
        os.kill(worker.pid, signal.SIGTERM)
        stage.hurt()
        ended = wait_until(lambda: not is_alive(worker.pid), seconds=_ENDS_WITHIN_S)
        stage.expect(ended, "the worker does not stop when it is told to")

    return story


def _quit_inside(point: str) -> Story:
    """SIGQUIT, a cold shutdown, while a transaction is about to commit: what became of it stands in the database."""

    def story(stage: Stage) -> None:
        stage.receiver()
        worker = stage.worker(faults=f"{point}=stop")
        child = stage.reach(point)
        os.kill(worker.pid, signal.SIGQUIT)
        stage.hurt()
        thaw(child)
        gone = wait_until(lambda: not is_alive(worker.pid) and not is_alive(child), seconds=_ENDS_WITHIN_S)
        stage.expect(gone, "the worker outlives a cold shutdown")

    return story


def _stopped(point: str) -> Story:
    """The child stands still for longer than its lease while another worker takes over; then it goes on."""

    def story(stage: Stage) -> None:
        stage.receiver()
        stage.worker(faults=f"{point}=stop")
        frozen = stage.reach(point)
        stage.hurt()
        stage.worker("worker-2")
        until = time.monotonic() + LEFT_FROZEN_S
        stage.wait(lambda: time.monotonic() > until, "the lease to be over")
        thaw(frozen)

    return story


def _stopped_for_days(point: str) -> Story:
    """The same, until all has come and the provider has forgotten its keys: it must send nothing any more.

    No webhook comes, so that all is found out by asking.
    """

    def story(stage: Stage) -> None:
        stage.witness.add_faults(DROP_ALL)
        stage.receiver()
        stage.worker(faults=f"{point}=stop")
        frozen = stage.reach(point)
        stage.hurt()
        stage.worker("worker-2")
        stage.play()
        thaw(frozen)

    return story


_STOPS = (
    *("renewals.claimed", "charge.pre_freeze", "charge.frozen", "charge.marked", "charge.sending"),
    *("charge.answered", "event.claimed"),
)
_DAYS = (START, START + timedelta(days=3))
_ONE_CALL = World(customers=(Customer("a1"),), moments=_DAYS)
_BEFORE_A_CALL = {
    "charge.frozen": _ONE_CALL,
    "charge.marked": _ONE_CALL,
    "charge.sending": _ONE_CALL,
    "resolve.claimed": World(customers=(Customer("a1", card=SILENT_AFTER),), moments=_DAYS),
}
"""Where a call is next, and whose: what is on its way already when a process is stopped goes on."""


def _always_kills(point: str, held_as: WorkKind) -> Story:
    """The same job kills every worker that takes it: each document's part of it is set apart, and done when a person
    lets it try again."""

    def story(stage: Stage) -> None:
        stage.receiver()
        worker = stage.worker(env={"BILLING_FAILPOINTS": f"{point}=kill@*"})
        held = f"SELECT count(*) FROM billing.work_item WHERE kind = '{held_as}' AND status = 'open'"  # noqa: S608
        stage.wait(lambda: stage.count(held) == stage.world.documents, "the poisoned jobs to be set apart")
        starts = stage.count("SELECT coalesce(max(tries), 0) FROM billing.slice")
        stage.expect(starts <= _MOST_STARTS, f"a job was started {starts} times")
        stage.hurt(starts)
        worker.kill_group()
        stage.worker()
        for done in act_on_all(
            stage.parts, WorkFilter(), action=Action.RETRY, order=Order(actor="crash", reason="the cause is mended")
        ):
            stage.expect(done.refused is None, f"the retry is refused: {done.refused}")
        stage.play()
        stage.wait(lambda: stage.count(held) == 0, "the work items to be closed")

    return story


_MOST_STARTS = 4
_BILLING = ("renewals.planned_slice", WorkKind.SUBSCRIPTION_NOT_BILLED)
_CHARGING = ("charge.freeze_commit", WorkKind.INVOICE_NOT_CHARGED)


def _past_the_limit(point: str) -> Story:
    """The call hangs, and the hard time limit kills the child. A person is told of that, and of nothing else."""

    def story(stage: Stage) -> None:
        stage.receiver()
        stage.worker(faults=f"{point}=stop", env={"BILLING_TASK_LIMIT_S": str(_LIMIT_S)})
        hung = stage.reach(point)
        stage.wait(lambda: not is_alive(hung), "the time limit", ticking=False)
        stage.hurt()
        stage.wait(lambda: stage.count(_KILLED) == 1, "the work item", ticking=False)
        order = Order(actor="crash", reason="it was seen, and its rows are swept up")
        for done in act_on_all(stage.parts, WorkFilter(kind=WorkKind.TASK_FAILED), action=Action.DISCARD, order=order):
            stage.expect(done.refused is None, f"the item can't be discarded: {done.refused}")

    return story


_KILLED = "SELECT count(*) FROM billing.work_item WHERE kind = 'task_failed' AND status = 'open'"


def _each(row: str, said: str, story: Callable[[str], Story], *points: str) -> Callable[[Trace], list[Case]]:
    return lambda _: [Case(row, f"{said} at {point}", story(point)) for point in points]


ROWS = (
    Row(
        "11",
        "TERM with a call in flight",
        lambda _: [
            Case("11", "the answer comes in time", _told_to_stop({"kind": "slow", "ms": 700}), world=_PAIR),
            Case("11", "no answer comes, money moved", _told_to_stop({"kind": "timeout_after"}), world=_PAIR),
        ],
    ),
    Row(
        "12",
        "QUIT inside a transaction",
        _each("12", "QUIT", _quit_inside, "renewals.commit", "charge.freeze_commit", "charge.record", "event.commit"),
    ),
    Row(
        "13",
        "stopped for longer than a lease",
        lambda _: [
            *(Case("13", f"stopped at {point}", _stopped(point)) for point in _STOPS),
            *(
                Case("13", f"stopped for days at {point}", _stopped_for_days(point), world)
                for point, world in _BEFORE_A_CALL.items()
            ),
        ],
    ),
    Row(
        "14",
        "a job that kills every worker",
        lambda _: [
            Case("14", "killed at each start", _always_kills(*_BILLING), _ONE),
            Case("14", "killed at each start of charging", _always_kills(*_CHARGING), _PAIR),
        ],
    ),
    Row("15", "hard time limit", _each("15", "hung", _past_the_limit, "charge.sending", "charge.answered")),
)
