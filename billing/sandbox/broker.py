"""What the broker holds: messages that wait, and messages in workers' hands."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache

import redis

from billing.kernel.errors import Unavailable
from billing.queue.celery import make_app
from billing.queue.names import QUEUES
from billing.queue.rabbitmq import is_rabbitmq
from billing.settings import Settings

_TASK_LIMIT_S = 300
"""Celery ends a task after this long: a message held longer is a dead worker's, and its rows have been swept up."""
_UNACKED, _UNACKED_SINCE = "unacked", "unacked_index"


@dataclass(frozen=True, slots=True)
class Messages:
    """Counts at one moment."""

    waiting: int
    in_hands: int


def messages(broker_url: str) -> Messages:
    """Messages of all queues, and those that a worker has taken and not confirmed.

    Raises `Unavailable`, also of RabbitMQ.
    """
    if is_rabbitmq(broker_url):
        raise Unavailable(
            "RabbitMQ does not say what workers have in hand; the sandbox's clock needs a Redis or Valkey"
        )
    with _client(broker_url).pipeline(transaction=True) as asking:
        for queue in QUEUES:
            asking.llen(queue)
        asking.zcount(_UNACKED_SINCE, time.time() - _TASK_LIMIT_S, "+inf")
        try:
            *waiting, in_hands = asking.execute()
        except redis.RedisError as error:
            mend = "start it, or mend BROKER_URL"
            raise Unavailable(f"the broker can't be read ({type(error).__name__}); {mend}") from error
    return Messages(waiting=sum(waiting), in_hands=in_hands)


def hand_back(settings: Settings) -> None:
    """Deliver again what nobody has confirmed, as the broker itself would after its visibility time-out.

    After the death of a worker its messages come back now instead of in ten minutes. A task may run twice.
    """
    app = make_app(settings)
    app.conf.broker_transport_options = {**app.conf.broker_transport_options, "visibility_timeout": 0}
    with app.connection_for_write() as connection:
        connection.default_channel.qos.restore_visible(num=1000, interval=1)


@lru_cache(maxsize=4)
def _client(broker_url: str) -> redis.Redis:
    plain = broker_url.replace("redis+socket://", "unix://").replace("virtual_host=", "db=")
    return redis.Redis.from_url(plain, socket_timeout=5)
