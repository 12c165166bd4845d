"""Rows 31, 36 to 38, 42, 43, 46: a broker that dies, forgets, freezes or repeats; two that want the same invoice."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from billing.commands.slice.cut import cut
from billing.flows.operating import retry_invoice
from billing.flows.order import Order
from billing.queue.buffer import Message
from billing.queue.names import COLLECTIONS_CHARGE, RENEWALS_BILL
from billing.sandbox.crash.case import Case, Row, Story, Trace
from billing.sandbox.crash.kills import DROP_ALL, while_frozen
from billing.sandbox.crash.processes import end, freeze, thaw
from billing.sandbox.crash.stage import NotReached, Stage
from billing.sandbox.crash.world import NO_FUNDS, START, VISA, Customer, World

_POINTS = (
    "renewals.planned", "renewals.claimed", "renewals.commit", "renewals.billed", "charge.freeze_commit",
    "charge.marked", "charge.answered", "charge.recorded", "event.claimed", "event.commit",
)  # fmt: skip
"""Before and after each thing that publishes, and in the middle of a call."""
_FROZEN_S = 12.0
"""Longer than the broker's own time-outs in this engine's settings."""
_DELIVERED = 3
_GAVE_UP = "broker_unreachable"
_ENDED = "succeeded in"
_BEGINS_ANEW, _GOES_DEAF = "Connection to broker lost", "Couldn't ack"
"""What a worker says whose acknowledgement was not taken."""
_RECEIVER_MAY_TAKE_S = 10.0
"""The provider's patience with a webhook."""
_TWO_PAYERS = World(
    customers=(Customer("a1"), Customer("a2", subscriptions=2), Customer("a3", card=NO_FUNDS, pays=False))
)
_ONE_LATE = World(customers=(Customer("a1", card=NO_FUNDS),), moments=(START, START + timedelta(days=3)))


def _at_points(row: str, said: str, act: Callable[[Stage], None]) -> Callable[[Trace], list[Case]]:
    return lambda _: [Case(row, f"{said} at {point}", while_frozen(point, act)) for point in _POINTS]


def _kill_and_restart(stage: Stage) -> None:
    stage.broker.kill()
    stage.broker.start()


def _down_at_publish(point: str, process: str) -> Story:
    """The broker is gone when what was committed is to be announced; it comes back when that was given up."""

    def story(stage: Stage) -> None:
        faults = f"{point}=stop"
        stage.receiver(faults=faults if process == "receiver" else "")
        stage.worker(faults=faults if process == "worker" else "")
        frozen = stage.reach(point, process=process)
        stage.broker.kill()
        stage.hurt()
        thaw(frozen)
        stage.wait(lambda: stage.said(process, _GAVE_UP) > 0, "the publisher to give up", ticking=False)

    return story


def _publishers(_: Trace) -> list[Case]:
    points = [(point, "worker") for point in ("renewals.planned", "renewals.commit", "charge.planned")]
    return [
        Case("43", f"down at {point}", _down_at_publish(point, process))
        for point, process in (*points, ("hook.pre_commit", "receiver"))
    ]


def _with_a_child(stage: Stage) -> None:
    """The broker dies, and is back at once, while the worker is busy with the death of its child."""
    stage.witness.add_faults({"kind": "timeout_after", "next": 1, "path": "/v1/payment_intents", "method": "POST"})
    stage.receiver()
    worker = stage.worker()
    if not stage.play(lambda: any(fault["hits"] for fault in stage.witness.faults())):
        raise NotReached("a call in flight")
    for child in worker.children():
        end(child)
    _kill_and_restart(stage)
    stage.hurt(2)


def _kills(trace: Trace) -> list[Case]:
    return [
        *_at_points("36", "kill", _kill_and_restart)(trace),
        # What went wrong here once did so in one of four.
        *(Case("36", f"with a child, back at once, {nth}", _with_a_child) for nth in range(1, 11)),
    ]


def _flush(stage: Stage) -> None:
    stage.broker.flush()


def _frozen_broker(stage: Stage) -> None:
    """Webhooks arrive while the broker says nothing: each is answered in time, and all goes on afterwards."""
    stage.witness.add_faults(DROP_ALL)
    stage.receiver()
    stage.worker()
    stage.play(lambda: len(stage.events()) >= _DELIVERED)
    stage.broker.freeze()
    try:
        # Ticks can't be sent now, and would only wait here.
        stage.ticking = False
        until = time.monotonic() + _FROZEN_S
        took = []
        for event in stage.events()[:_DELIVERED]:
            began = time.monotonic()
            status = stage.deliver(event)
            took.append(time.monotonic() - began)
            stage.expect(status == 200, f"a delivery was answered {status} while the broker was frozen")
        stage.expect(max(took) < _RECEIVER_MAY_TAKE_S, f"a delivery was answered after {max(took):.1f} s")
        stage.wait(lambda: time.monotonic() > until, "the broker's time-outs to pass")
    finally:
        stage.broker.thaw()
        stage.ticking = True
    stage.hurt()


def _silent_at_the_end(point: str) -> Story:
    """The broker is frozen while a job ends: it takes no acknowledgement, and the worker must go on all the same."""

    def story(stage: Stage) -> None:
        stage.receiver()
        worker = stage.worker(faults=f"{point}=stop")
        child = stage.reach(point)
        ended = stage.said("worker", _ENDED)
        freeze(worker.pid)
        thaw(child)
        stage.wait(lambda: stage.said("worker", _ENDED) > ended, "the job's end", ticking=False)
        stage.broker.freeze()
        # The first that the parent hears is the result, and the first that it does is to acknowledge.
        thaw(worker.pid)
        stage.hurt()
        said = (_BEGINS_ANEW, _GOES_DEAF)
        stage.wait(lambda: any(stage.said("worker", each) for each in said), "the worker to notice", ticking=False)
        stage.expect(stage.said("worker", _GOES_DEAF) == 0, "the worker dropped a failed acknowledgement")
        stage.broker.thaw()

    return story


def _silences(_: Trace) -> list[Case]:
    points = ("renewals.billed", "charge.recorded", "event.commit")
    return [
        Case("38", "while webhooks arrive", _frozen_broker),
        *(Case("38", f"while a job ends, after {point}", _silent_at_the_end(point)) for point in points),
    ]


def _again_while_running(point: str, times: int) -> Story:
    """The message of a running charge is handed out again: the claim refuses it, and leaves no trace."""

    def story(stage: Stage) -> None:
        stage.receiver()
        stage.worker(faults=f"{point}=stop", concurrency=1)
        frozen = stage.reach(point)
        stage.worker("worker-2", concurrency=2)
        messages = _messages(stage, times, which="status = 'running'")
        stage.send(messages)
        stage.wait(lambda: stage.broker.waiting("renewals", "charges") == 0, "the repeats to be taken", ticking=False)
        stage.hurt(len(messages))
        thaw(frozen)

    return story


def _messages(stage: Stage, times: int, *, which: str = "true") -> list[Message]:
    """The slices that there are, each so many times over."""
    tasks = ((COLLECTIONS_CHARGE, "charges"), (RENEWALS_BILL, "renewals"))
    slices: list[Message] = [
        (task, (str(id_),))
        for task, kind in tasks
        for id_ in stage.ids(f"SELECT id FROM billing.slice WHERE kind = '{kind}' AND {which}")  # noqa: S608 (words of ours)
    ]
    return slices * times


def _hundred(stage: Stage) -> None:
    """Two workers get every message of the run a hundred times over."""
    stage.receiver()
    stage.worker("worker", concurrency=2)
    stage.worker("worker-2", concurrency=2)
    stage.play(lambda: stage.count("SELECT count(*) FROM billing.slice WHERE kind = 'charges'") > 0)
    messages = _messages(stage, 100)
    stage.send(messages)
    stage.wait(lambda: stage.broker.waiting("renewals", "charges") == 0, "the repeats to be taken", ticking=False)
    stage.hurt(len(messages))


def _retry_at_once(stage: Stage) -> None:
    """Two workers hold a slice each with the same invoice, put there by dunning and by an operator: one attempt."""
    stage.receiver()
    stage.worker()
    stage.play(lambda: stage.quiet)
    stage.living["worker"].kill_group()
    invoice = stage.ids("SELECT id FROM billing.invoice")[0]
    stage.change_card("a1", VISA)
    stage.worker(faults="charge.pre_freeze=stop")
    first = stage.reach("charge.pre_freeze")
    # The slice of the first worker lives, so a sweep would not cut another: the operator's own nudge and a hand do.
    retry_invoice(stage.parts, invoice, order=Order(actor="crash", reason="both at once"))
    _cut_again(stage, invoice)
    stage.worker("worker-2", faults="charge.pre_freeze=stop")
    second = stage.reach("charge.pre_freeze", process="worker-2")
    stage.hurt()
    thaw(first)
    thaw(second)
    stage.revive()
    stage.play()
    succeeded = stage.count("SELECT count(*) FROM billing.payment WHERE status = 'succeeded'")
    attempts = stage.count("SELECT count(*) FROM billing.payment")
    stage.expect((attempts, succeeded) == (2, 1), f"{attempts} attempts, {succeeded} succeeded; 2 and 1 were wanted")


def _cut_again(stage: Stage, invoice: UUID) -> None:
    with stage.parts.begin() as session:
        cut(session, kind="charges", members=[invoice], size=1)


def _repeats(_: Trace) -> list[Case]:
    points = ("renewals.claimed", "charge.pre_freeze", "charge.marked", "charge.answered")
    inside = ("renewals.commit", "charge.freeze_commit")
    return [
        *(Case("42", f"handed out 3 times more at {point}", _again_while_running(point, 3)) for point in points),
        # Within the transaction the second claim waits for a lock, and finds the slice done.
        *(Case("42", f"handed out again at {point}", _again_while_running(point, 1)) for point in inside),
    ]


ROWS = (
    Row(
        "31",
        "two workers and an operator on one invoice",
        lambda _: [Case("31", "both at once", _retry_at_once, _ONE_LATE)],
    ),
    Row("36", "broker killed, nothing kept", _kills),
    Row("37", "broker flushed", _at_points("37", "flush", _flush)),
    Row("38", "broker frozen while webhooks arrive, and while a job ends", _silences),
    Row("42", "a running job handed out again", _repeats),
    Row("43", "broker down at publish", _publishers),
    Row("46", "the same message 100 times", lambda _: [Case("46", "100 times", _hundred, _TWO_PAYERS)]),
)
