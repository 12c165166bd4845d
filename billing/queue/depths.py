"""How many messages wait in the broker, by queue: asked in one round trip, without taking any."""

from __future__ import annotations

from typing import Any

import redis

from billing.kernel.errors import Unavailable
from billing.queue.names import QUEUES

_PATIENCE_S = 2.0


def depths(broker_url: str) -> dict[str, int]:
    """Messages by queue, those in a worker's hands not counted. Raises `Unavailable` within seconds."""
    address = broker_url.replace("redis+socket:", "unix:", 1).replace("virtual_host=", "db=")
    try:
        connected: Any = redis.Redis.from_url(address, socket_connect_timeout=_PATIENCE_S, socket_timeout=_PATIENCE_S)
        with connected as client, client.pipeline(transaction=False) as asked:
            for queue in QUEUES:
                asked.llen(queue)
            return dict(zip(QUEUES, asked.execute(), strict=True))
    except (redis.RedisError, ValueError) as error:
        raise Unavailable(f"the broker can't be reached ({type(error).__name__})") from error
