"""Watching: a worker that is alive and consumes nothing ends itself, so that its supervisor starts it anew.

A half-open connection, or one that has forgotten what it subscribed to, looks like an idle worker. So a thread beside
the worker sends messages through the broker to a queue of this worker alone, and counts whatever comes in. While the
broker takes no message nothing is concluded: it is the broker that is away then, and Celery connects anew by itself.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from celery import Celery, shared_task
from celery.signals import celeryd_after_setup, task_received, worker_ready, worker_shutting_down
from celery.worker import state
from kombu.entity import Exchange, Queue

from billing.queue.rabbitmq import is_rabbitmq, own_queue_arguments
from billing.rules.watch import MOST_PINGS, Sight, Watch
from billing.tasks.acknowledging import ReconnectingTask

_log = structlog.get_logger(__name__)

STATUS = 75
"""Of the process that ends itself: a passing failure (EX_TEMPFAIL)."""
_PING = "watch.ping"
_MARGIN_S = 60.0


@shared_task(name=_PING, base=ReconnectingTask)  # type: ignore[untyped-decorator]
def ping() -> None:
    """Nothing: that it comes is all that matters."""


class Watcher:
    """Watches the worker of this process. `quiet_s`: see `billing.rules.watch`; 0: nothing is watched."""

    def __init__(self, app: Celery, *, quiet_s: float, end: Callable[[int], Any] = os._exit) -> None:
        self._app, self._end = app, end
        self._limit_s = app.conf.task_time_limit
        step_s = quiet_s / 6
        self._watch = Watch(quiet_s=quiet_s, answer_s=quiet_s / 4, step_s=step_s, heard_at=time.monotonic())
        self._over = threading.Event()
        self._queue: Any = None
        if quiet_s > 0:
            # Celery holds receivers weakly unless told otherwise.
            celeryd_after_setup.connect(self._consume, weak=False)
            task_received.connect(self._hear, weak=False)
            worker_ready.connect(self._begin, weak=False)
            worker_shutting_down.connect(self._stop, weak=False)

    def _consume(self, sender: str, instance: Any, **_: Any) -> None:
        """A queue of this worker's own, beside those that it was given; a binding to an exchange would outlive it."""
        kept: dict[str, Any] = {"durable": False, "auto_delete": True}
        if is_rabbitmq(instance.app.conf.broker_url):
            kept = {"queue_arguments": own_queue_arguments()}
        own: Any = Queue(f"watch.{sender}", **kept)  # type: ignore[no-untyped-call]
        self._queue = instance.app.amqp.queues.select_add(own)
        own.exchange, own.routing_key = Exchange(""), own.name  # type: ignore[no-untyped-call]

    def _hear(self, **_: Any) -> None:
        self._watch.hear(time.monotonic())

    def _begin(self, **_: Any) -> None:
        self._watch.hear(time.monotonic())
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def _stop(self, **_: Any) -> None:
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(self._watch.step_s):
            match self._watch.look(time.monotonic(), busy=_busy(state.active_requests, self._limit_s)):
                case Sight.ASK:
                    self._ask()
                case Sight.DEAF:
                    _log.critical("worker_consumes_nothing", unanswered=MOST_PINGS, exits=STATUS)
                    self._end(STATUS)
                    return

    def _ask(self) -> None:
        try:
            self._app.send_task(_PING, queue=self._queue, expires=self._watch.answer_s, retry=False)
        except Exception as error:  # noqa: BLE001 (whatever a broker client raises: the broker is away, not we)
            _log.warning("broker_unreachable", error=type(error).__name__)
        else:
            self._watch.ask(time.monotonic())


def _busy(requests: Iterable[Any], limit_s: float) -> bool:
    """Whether a task runs that the worker has not failed to end: one past its limit says that its loop hangs."""
    now = time.time()
    try:
        running = list(requests)
    except RuntimeError:  # The worker's own thread has changed them meanwhile: it lives.
        return True
    return any(
        each.time_start is None or now - each.time_start < (each.task.time_limit or limit_s) + _MARGIN_S
        for each in running
    )
