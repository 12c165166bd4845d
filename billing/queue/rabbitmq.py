"""RabbitMQ in the broker's place: what its queues are, how it is spoken to, and what it is asked.

Queues are quorum queues: they outlive a node of a cluster. Messages are nudges here as with the other broker: state,
due moment and lease are columns. So a task that dies with its worker comes back a few times and no more, and whoever
publishes waits for the broker's word but a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import amqp
from kombu.connection import Connection
from kombu.exceptions import OperationalError

from billing.kernel.errors import Unavailable

T = TypeVar("T")

SCHEMES = ("amqp://", "amqps://")
HEARTBEAT_S = 20
"""A worker's connection that is silent for twice as long is given up by either side."""
_MOST_DELIVERIES = 20
"""A message that ends its worker so often is dropped; its rows have counted their starts and are a person's work."""
_OWN_KEPT_MS = 3_600_000
_MISSING = 404


def is_rabbitmq(broker_url: str | None) -> bool:
    """Whether this is its address, or those of a cluster's nodes (`;` between them)."""
    return (broker_url or "").startswith(SCHEMES)


def queue_arguments() -> dict[str, Any]:
    """Of the five queues. Every process declares them alike; a server refuses other arguments for one that exists."""
    return {"x-queue-type": "quorum", "x-delivery-limit": _MOST_DELIVERIES}


def own_queue_arguments() -> dict[str, Any]:
    """Of a worker's own queue, which is forgotten an hour after nobody listens.

    Kept on disk, though nothing in it matters: a server of today refuses queues that are neither that nor exclusive.
    """
    return {"x-queue-type": "classic", "x-expires": _OWN_KEPT_MS}


def transport_options(*, patience_s: float) -> dict[str, Any]:
    """Of a connection. A message counts as sent when the broker has said so; nothing is waited for longer."""
    return {"confirm_publish": True, "read_timeout": patience_s, "write_timeout": patience_s}


def reach(broker_url: str, *, within_s: float) -> None:
    """Connect once. Raises `Unavailable`."""
    _ask(broker_url, within_s, lambda _: None)


def depths(broker_url: str, queues: Sequence[str], *, within_s: float) -> dict[str, int]:
    """Messages that wait, by queue; one that nobody has declared yet has none. Raises `Unavailable`."""
    return _ask(broker_url, within_s, lambda connection: {queue: waiting(connection, queue) or 0 for queue in queues})


def waiting(connection: Any, queue: str) -> int | None:
    """Messages that wait in a queue of the server's, whatever its arguments; None: it has none of this name."""
    # A refusal closes its channel, so each asks by one of its own.
    with connection.channel() as channel:
        try:
            return int(channel.queue_declare(queue, passive=True).message_count)
        except connection.channel_errors as error:
            if error.reply_code == _MISSING:
                return None
            raise


def _ask(broker_url: str, within_s: float, question: Callable[[Any], T]) -> T:
    with _failing(), _connected(broker_url, within_s) as connection:
        return question(connection)


@contextmanager
def _connected(broker_url: str, within_s: float) -> Iterator[Any]:
    options = transport_options(patience_s=within_s)
    made: Any = Connection(broker_url, connect_timeout=within_s, transport_options=options)  # type: ignore[no-untyped-call]
    with made as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=within_s)
        yield connection


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except (OperationalError, OSError, amqp.AMQPError) as error:
        raise Unavailable(f"the broker can't be reached ({type(error).__name__})") from error
