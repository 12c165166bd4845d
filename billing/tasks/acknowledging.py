"""Acknowledging: a worker whose broker did not take an acknowledgement connects anew, instead of going deaf."""

from __future__ import annotations

from typing import Any

import amqp
from celery import Task
from celery.worker.request import Request


class Reconnecting(Request):  # type: ignore[misc]  # Celery publishes no types
    """A request in the worker's hands.

    kombu counts a message as in hand until the broker has taken its acknowledgement, and Celery logs and drops the
    connection errors that it names here. With a prefetch of one, a worker whose broker was silent for longer than a
    time-out would then fetch nothing more, and look alive. Where none is named the error reaches the worker's loop,
    which begins its connection anew. The message comes back after the visibility time-out and finds its row done.

    RabbitMQ counts by itself: it takes what is not acknowledged back with the connection, so there nothing goes deaf,
    and a task that ends after its connection was lost is no reason to lose the new one.
    """

    def __init__(self, message: Any, **options: Any) -> None:
        if not isinstance(message.channel, amqp.Channel):
            options["connection_errors"] = ()
        super().__init__(message, **options)


class ReconnectingTask(Task):  # type: ignore[misc]  # Celery publishes no types
    """The base of every task here."""

    Request = Reconnecting
