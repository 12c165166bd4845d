"""What waits in the broker, read without taking it: for the audit, which looks for secrets in it."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from typing import Any

import redis

from billing.kernel.errors import Unavailable
from billing.queue.rabbitmq import is_rabbitmq

_PAGE = 500
"""Entries held in memory at once."""


def waiting_texts(broker_url: str) -> Iterator[tuple[str, str]]:
    """Yield (key, text) of everything in the broker's database; the bodies of messages are decoded.

    Raises `redis.RedisError` where it can't be read, and `Unavailable` for a RabbitMQ, which shows a message only to
    whoever takes it. What comes or goes meanwhile may be missed.
    """
    if is_rabbitmq(broker_url):
        raise Unavailable("RabbitMQ shows no message without giving it out; say --no-broker to leave it out")
    address = broker_url.replace("redis+socket:", "unix:", 1).replace("virtual_host=", "db=")
    connected: Any = redis.Redis.from_url(address, socket_connect_timeout=3, socket_timeout=10)
    with connected as client:
        for key in client.scan_iter(count=_PAGE):
            for value in _values(client, key):
                yield key.decode(errors="replace"), _readable(value)


def _values(client: Any, key: bytes) -> Iterator[bytes]:
    match client.type(key):
        case b"list":
            for start in range(0, client.llen(key), _PAGE):
                yield from client.lrange(key, start, start + _PAGE - 1)
        case b"hash":
            for _, value in client.hscan_iter(key, count=_PAGE):
                yield value
        case b"set":
            yield from client.sscan_iter(key, count=_PAGE)
        case b"zset":
            for value, _ in client.zscan_iter(key, count=_PAGE):
                yield value
        case b"string":
            yield client.get(key) or b""
        case _:
            return


def _readable(value: bytes) -> str:
    """The message as text, followed by its body, which travels in base64 inside the envelope."""
    text = value.decode(errors="replace")
    try:
        envelope: Any = json.loads(text)
        if isinstance(envelope, list):
            envelope = envelope[0]
        return text + "\n" + base64.b64decode(envelope["body"], validate=True).decode(errors="replace")
    except (ValueError, KeyError, TypeError, IndexError, binascii.Error):
        return text
