"""How many messages wait in the broker, by queue, and whether it answers: asked without taking any."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from billing.kernel.errors import Unavailable
from billing.queue import rabbitmq
from billing.queue.names import QUEUES
from billing.queue.rabbitmq import is_rabbitmq

_PATIENCE_S = 2.0


def depths(broker_url: str) -> dict[str, int]:
    """Messages by queue, those in a worker's hands not counted. Raises `Unavailable` within seconds."""
    if is_rabbitmq(broker_url):
        return rabbitmq.depths(broker_url, QUEUES, within_s=_PATIENCE_S)
    with _asking(broker_url) as client, client.pipeline(transaction=False) as asked:
        for queue in QUEUES:
            asked.llen(queue)
        return dict(zip(QUEUES, asked.execute(), strict=True))


def reach(broker_url: str) -> None:
    """Have it answer once. Raises `Unavailable` within seconds."""
    if is_rabbitmq(broker_url):
        rabbitmq.reach(broker_url, within_s=_PATIENCE_S)
        return
    with _asking(broker_url) as client:
        client.ping()


@contextmanager
def _asking(broker_url: str) -> Iterator[Any]:
    address = broker_url.replace("redis+socket:", "unix:", 1).replace("virtual_host=", "db=")
    try:
        with redis.Redis.from_url(address, socket_connect_timeout=_PATIENCE_S, socket_timeout=_PATIENCE_S) as client:
            yield client
    except (redis.RedisError, ValueError) as error:
        raise Unavailable(f"the broker can't be reached ({type(error).__name__})") from error
