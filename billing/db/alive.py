"""Whether a pooled connection still lives: asked only where there is a reason to, for asking costs a round trip."""

from __future__ import annotations

import select
import time
from typing import Any

import psycopg
from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError

_FRESH_S = 30.0
"""One that was used within so many seconds of wall time and has nothing to say is alive: a server that ends, and one
that is told to drop a connection, says so on it or closes it."""

_USED = "billing.used_at"


def keep_alive(engine: Engine) -> None:
    """Have the engine give out no connection whose server is gone, and take a new one in its place."""
    event.listen(engine, "checkin", _note)
    event.listen(engine, "checkout", _look)


def _note(_connection: Any, record: Any) -> None:
    record.info[_USED] = time.monotonic()


def _look(connection: psycopg.Connection[Any] | None, record: Any, _proxy: Any) -> None:
    used = record.info.get(_USED)
    if connection is None or used is None:
        return
    if time.monotonic() - used < _FRESH_S and not _says_something(connection):
        return
    try:
        connection.autocommit = True
        connection.execute("SELECT 1")
        connection.autocommit = False
    except psycopg.Error as error:
        raise DisconnectionError from error


def _says_something(connection: psycopg.Connection[Any]) -> bool:
    """An idle server sends nothing: bytes that wait to be read, or an end, are bad news until it has answered."""
    try:
        waiting = select.poll()
        waiting.register(connection.fileno(), select.POLLIN)
        return bool(waiting.poll(0))
    except psycopg.Error:
        return True
