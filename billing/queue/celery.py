"""The Celery app and its transport: settings for payments, where the broker may lose or double any message."""

from __future__ import annotations

import time
from typing import Any

from celery import Celery
from kombu.entity import Queue
from kombu.exceptions import OperationalError

from billing.kernel.errors import Unavailable
from billing.privacy.logging import correlation
from billing.privacy.tracing import present_step
from billing.queue import rabbitmq
from billing.queue.buffer import Message
from billing.queue.names import DELIVERIES_TICK, QUEUES, TICKS, TaskName
from billing.queue.rabbitmq import is_rabbitmq
from billing.settings import Settings

CORRELATION = "billing_correlation"
"""Header of a message: the correlation id of the run that sent it, which its task goes on under."""
STEP = "billing_step"
"""Header of a message: the step of that run that its task goes on beneath, where the run is traced."""
_VISIBILITY_TIMES = 2
"""Above the hard limit: a message of a live task is not handed out twice; correctness does not depend on it."""


def make_app(settings: Settings, *, only_publishes: bool = False) -> Celery:
    """The app of workers, beat and senders. Bodies are JSON with ids only; outcomes live in the database.

    `only_publishes`: for whoever sends after a commit and has somebody waiting, such as the provider for its 2xx.
    """
    app = Celery("billing", broker=settings.broker_url)
    arguments = rabbitmq.queue_arguments() if is_rabbitmq(settings.broker_url) else None
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        # A row's lease, not the broker, decides who tries again after a death: no redelivery loop.
        task_reject_on_worker_lost=False,
        task_acks_on_failure=True,
        task_acks_on_timeout=True,
        # No soft limit: an exception from a signal may fall between COMMIT and its answer.
        task_time_limit=settings.billing_task_limit_s,
        task_default_queue="upkeep",
        task_queues=[
            Queue(name, routing_key=name, queue_arguments=arguments)  # type: ignore[no-untyped-call]
            for name in QUEUES
        ],
        task_create_missing_queues=False,
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        **_connection(settings, only_publishes=only_publishes),
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_soft_shutdown_timeout=30,
        control_queue_ttl=60.0,
        control_queue_expires=60.0,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_consumer="billing.tasks.dropping:TellingConsumer",
        timezone="UTC",
        enable_utc=True,
        beat_scheduler="celery.beat:Scheduler",
        beat_max_loop_interval=min(settings.tick_s, 30),
        beat_schedule=schedule(settings),
    )
    return app


_IMPATIENT = {"socket_timeout": 1, "socket_connect_timeout": 1}
"""Seconds. A message is only a nudge, and a broker that answers at all does so in milliseconds."""


def _connection(settings: Settings, *, only_publishes: bool) -> dict[str, Any]:
    if not is_rabbitmq(settings.broker_url):
        return {"broker_transport_options": _transport_options(settings) | (_IMPATIENT if only_publishes else {})}
    patience_s = 1 if only_publishes else 10
    return {
        "broker_transport_options": rabbitmq.transport_options(patience_s=patience_s),
        "broker_connection_timeout": min(patience_s, 3),
        # Nobody beats the heart of a connection that waits in a pool: its server would end it.
        "broker_heartbeat": 0 if only_publishes else rabbitmq.HEARTBEAT_S,
    }


def _transport_options(settings: Settings) -> dict[str, Any]:
    return {
        "visibility_timeout": _VISIBILITY_TIMES * settings.billing_task_limit_s,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "socket_timeout": 10,
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "health_check_interval": 10,
        # A retry inside the client reconnects without subscribing again, and the worker then listens for ever to a
        # broker that tells it nothing. Without one the error comes out, and Celery begins anew with all that it needs.
        "retry_on_timeout": False,
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.1,
        "interval_max": 0.2,
    }


def schedule(settings: Settings) -> dict[str, dict[str, Any]]:
    """Beat's entries, from the table of ticks. A tick that nobody took within two periods is not worth doing."""
    periods = {tick: settings.delivery_every_s if tick is DELIVERIES_TICK else settings.tick_s for tick in TICKS}
    return {
        tick.name: {
            "task": tick.name,
            "schedule": period_s,
            "options": {"queue": tick.queue, "expires": max(2 * period_s, 10.0)},
        }
        for tick, period_s in periods.items()
    }


_ONCE_MORE = {"retry": True, "retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0}}


class BrokerAway(Exception):
    """The broker failed a moment ago and is not asked yet."""


class CeleryTransport:
    """Publishes messages, several over one connection.

    A broker that fails is left alone for `pause_s` (wall time): who commits in that time doesn't wait for it, and a
    sweep finds the rows. Raises whatever the broker's client raises, and `BrokerAway` during the pause.
    """

    def __init__(self, app: Celery, *, pause_s: float = 1.0) -> None:
        self._app, self._pause_s = app, pause_s
        self._away_until = 0.0
        # A connection of the pool that RabbitMQ closed meanwhile is only known by using it; redis-py looks by itself.
        self._again = _ONCE_MORE if is_rabbitmq(app.conf.broker_url) else {"retry": False}

    def send(self, messages: list[Message]) -> None:
        if time.monotonic() < self._away_until:
            raise BrokerAway
        try:
            told = {CORRELATION: correlation(), STEP: present_step()}
            headers = {name: str(value) for name, value in told.items() if value}
            with self._app.producer_or_acquire() as producer:
                for task, ids in messages:
                    queue = task.queue if task.queue in QUEUES else _foreign(producer.connection, task.queue)
                    self._app.send_task(
                        task.name, args=ids, queue=queue, producer=producer, headers=headers, **self._again
                    )
        except Exception:
            self._away_until = time.monotonic() + self._pause_s
            raise


class NoSuchQueue(Exception):
    """The host application's queue is not there: it declares it by its own arguments, when it starts."""


def _foreign(connection: Any, name: str) -> Any:
    """A queue of the host application's. RabbitMQ would drop a message for one that is not there, and say nothing."""
    if connection.transport.driver_type != "amqp":
        return Queue(name)  # type: ignore[no-untyped-call]
    connection.connect()  # One of the pool may not have been yet.
    if rabbitmq.waiting(connection, name) is None:
        raise NoSuchQueue(name)
    return Queue(name, exchange="", routing_key=name, no_declare=True)  # type: ignore[no-untyped-call]


class Broker:
    """The broker as an operator asks about it. Every call ends within seconds; all raise `Unavailable`."""

    def __init__(self, app: Celery) -> None:
        self._app = app

    def ping(self) -> None:
        """Reach it once."""
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, interval_start=0, timeout=3)
        except (OperationalError, OSError) as error:
            raise _unreachable(error) from error

    def send_tick(self, tick: TaskName) -> None:
        """Send one beat entry now, with the options that beat gives it."""
        entry = self._app.conf.beat_schedule[tick.name]
        try:
            self._app.send_task(entry["task"], retry=False, **entry["options"])
        except (OperationalError, OSError) as error:
            raise _unreachable(error) from error

    def consumed_queues(self, *, wait_s: float = 1.0) -> set[str]:
        """Queues that some worker consumes; workers have `wait_s` to answer."""
        try:
            answers = self._app.control.inspect(timeout=wait_s).active_queues() or {}
        except (OperationalError, OSError) as error:
            raise _unreachable(error) from error
        return {queue["name"] for queues in answers.values() for queue in queues}


def _unreachable(error: Exception) -> Unavailable:
    return Unavailable(f"the broker can't be reached ({type(error).__name__}); start it, or mend BROKER_URL")
