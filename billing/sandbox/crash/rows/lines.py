"""Rows 39 to 41, 44, 45, 47: a line to the broker that is cut or falls silent, and messages that are lost or forged."""

from __future__ import annotations

import time
from collections.abc import Callable

from billing.flows.order import Order
from billing.flows.working import Action, act_on_all
from billing.kernel.ids import new_id
from billing.kernel.work import WorkKind
from billing.queries.operations.work import WorkFilter
from billing.queue.celery import make_app
from billing.queue.names import COLLECTIONS_CHARGE, INBOX_PROCESS, QUEUES, REFUNDS_SEND, RENEWALS_BILL
from billing.sandbox.crash.case import Case, Row, Trace
from billing.sandbox.crash.stage import NotReached, Stage
from billing.sandbox.crash.wire import Wire
from billing.sandbox.crash.world import Customer, World

_PAIR = World(customers=(Customer("a1"), Customer("a2", subscriptions=2)))
_CUTS = 5
_CUT_EVERY_S = 0.7
_FULL_S = 3.0
_HUGE = 5_000_000


def _wired(stage: Stage) -> Wire:
    """A worker whose way to the broker can be cut."""
    wire = Wire(stage.broker.socket)
    stage.at_end(wire.close)
    stage.receiver()
    stage.worker(env={"BROKER_URL": wire.url})
    return wire


def _cut_repeatedly(stage: Stage) -> None:
    wire = _wired(stage)
    stage.play(lambda: stage.count("SELECT count(*) FROM billing.slice") > 0)
    for _ in range(_CUTS):
        until = time.monotonic() + _CUT_EVERY_S
        stage.play(lambda until=until: time.monotonic() > until)  # type: ignore[misc]
        wire.cut()
        stage.hurt()


def _silent(stage: Stage) -> None:
    """Connections stay open and nothing comes through any more; new ones work. The worker must begin anew by itself."""
    wire = _wired(stage)
    if not stage.play(lambda: stage.count("SELECT count(*) FROM billing.slice WHERE kind = 'charges'") > 0):
        raise NotReached("slices of charges")
    wire.silence()
    stage.hurt()


def _popped(stage: Stage) -> None:
    """Every message vanishes between the broker and the worker, for a while."""
    stage.receiver()
    stage.worker()
    stage.play(lambda: stage.count("SELECT count(*) FROM billing.slice") > 0)
    until = time.monotonic() + 2 * _FULL_S
    while time.monotonic() < until:
        lost = stage.broker.take(*QUEUES)
        stage.hurt(lost)
        stage.play(lambda: stage.broker.waiting(*QUEUES) > 0 or time.monotonic() > until)


def _full(stage: Stage) -> None:
    """The broker takes no message more: every publisher goes on, and the rows wait for a sweep."""
    stage.receiver()
    stage.worker()
    stage.play(lambda: stage.count("SELECT count(*) FROM billing.slice") > 0)
    stage.broker.configure("maxmemory", "1")
    until = time.monotonic() + _FULL_S
    stage.wait(lambda: time.monotonic() > until, "a while without room")
    stage.hurt()
    stage.broker.configure("maxmemory", "0")


def _junk(stage: Stage) -> None:
    """Unknown tasks, bodies that are none, wrong arguments, a huge one: each is dropped, and the worker goes on."""
    stage.receiver()
    stage.worker()
    stage.play(lambda: stage.count("SELECT count(*) FROM billing.slice") > 0)
    app = make_app(stage.parts.settings)
    for name, args in (
        ("no.such.task", []),
        (RENEWALS_BILL.name, ["not an id"]),
        (COLLECTIONS_CHARGE.name, []),
        (INBOX_PROCESS.name, ["1", "2", "3"]),
        (RENEWALS_BILL.name, ["x" * _HUGE]),
    ):
        app.send_task(name, args=args, queue="renewals")
    stage.wait(lambda: stage.count(_FAILED) == _CALLABLE, "the wrong arguments to be told")
    for body in (b"{no json", b'{"body": "x", "headers": {}, "properties": {}}'):
        # Bytes that no publisher writes end the worker that takes them; whoever supervises it starts it again.
        stage.broker.push("charges", body)
        _until_it_falls(stage, until=time.monotonic() + _FULL_S)
        stage.revive()
        stage.hurt()
    stage.hurt(_CALLABLE)
    order = Order(actor="crash", reason="junk from nobody")
    stage.expect(stage.count(_UNROUTABLE) == 1, "the unknown task is no work item")
    for kind in (WorkKind.TASK_FAILED, WorkKind.MESSAGE_UNROUTABLE, WorkKind.MESSAGE_UNREADABLE):
        for done in act_on_all(stage.parts, WorkFilter(kind=kind), action=Action.DISCARD, order=order):
            stage.expect(done.refused is None, f"the item can't be discarded: {done.refused}")


def _until_it_falls(stage: Stage, *, until: float) -> None:
    stage.wait(lambda: not stage.living["worker"].alive or time.monotonic() > until, "the worker to fall")


_FAILED = "SELECT count(*) FROM billing.work_item WHERE kind = 'task_failed' AND status = 'open'"
_UNROUTABLE = "SELECT count(*) FROM billing.work_item WHERE kind = 'message_unroutable' AND status = 'open'"
_CALLABLE = 4
"""Of the messages, those whose task there is: each ends as a work item."""


def _forged(stage: Stage) -> None:
    """Messages with the ids of other jobs, of no job, and of what is done: each job runs only if it is due."""
    stage.receiver()
    stage.worker(faults="renewals.claimed=stop")
    frozen = stage.reach("renewals.claimed")
    stage.worker("worker-2")
    slices = stage.ids("SELECT id FROM billing.slice")
    others = [*slices, *stage.ids("SELECT id FROM billing.profile"), new_id()]
    stage.send([(task, (str(id_),)) for task in _TASKS for id_ in others])
    stage.wait(lambda: stage.broker.waiting(*QUEUES) == 0, "the forged messages to be taken", ticking=False)
    stage.hurt(len(others) * len(_TASKS))
    stage.expect(not stage.count(_ENDED_UNDONE), "a forged message ended a job that was not done")
    stage.thaw(frozen)
    stage.play()
    before, done = stage.count(_RUN), stage.ids("SELECT id FROM billing.slice WHERE status = 'done'")
    stage.send([(task, (str(id_),)) for task in _TASKS for id_ in done])
    stage.wait(lambda: stage.broker.waiting(*QUEUES) == 0, "the messages of what is done to be taken", ticking=False)
    stage.hurt(len(done) * len(_TASKS))
    stage.play()
    stage.expect(bool(done) and stage.count(_RUN) == before, "what was done was begun once more")


_ENDED_UNDONE = """
    SELECT count(*) FROM billing.slice s, unnest(s.member_ids) AS member
    WHERE s.kind = 'renewals' AND s.status = 'done' AND NOT EXISTS (
        SELECT FROM billing.slice t WHERE t.parent_id = s.id
    ) AND NOT EXISTS (SELECT FROM billing.invoice i WHERE i.profile_id = member)
"""
_RUN = "SELECT (SELECT sum(tries) FROM billing.slice) + (SELECT count(*) FROM billing.payment)"
"""How often anything was begun, and every attempt."""
_TASKS = (COLLECTIONS_CHARGE, RENEWALS_BILL, INBOX_PROCESS, REFUNDS_SEND)


def _one(row: str, name: str, story: Callable[[Stage], None]) -> Callable[[Trace], list[Case]]:
    return lambda _: [Case(row, name, story, world=_PAIR)]


ROWS = (
    Row("39", "the line to the broker is cut again and again", _one("39", "five cuts", _cut_repeatedly)),
    Row("40", "the line to the broker is open and silent", _one("40", "while charging", _silent)),
    Row("41", "messages lost on their way to the worker", _one("41", "all of them for a while", _popped)),
    Row("44", "the broker is full", _one("44", "for a while", _full)),
    Row("45", "messages that are none", _one("45", "seven of them", _junk)),
    Row("47", "messages with the ids of other jobs", _one("47", "forged", _forged)),
)
