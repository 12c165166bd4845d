"""Connections that outlive a test, as production's outlive a request: the next test of the same database takes them.

What a test opens it closes in the end, and the server then forgets all that it learnt for it: what tables look like,
the plans of statements, its functions. Learning it anew took a third of a flow's test.
"""

from __future__ import annotations

import os
import re
import select
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg._preparing import Prepare, PrepareManager
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGresult
from sqlalchemy.dialects.postgresql.psycopg import _log_notices

_MOST = 8
"""So many of a kind: as many as one engine opens."""
_FORGET = "RESET ALL; RESET SESSION AUTHORIZATION; UNLISTEN *; SELECT pg_advisory_unlock_all(); DISCARD TEMP"
"""All that a session has of its own, but for the plans of its statements."""

_PREPARED = (1, 1000)
"""After how many times psycopg prepares a statement, and how many it keeps. By its own numbers, 5 and 100, a session
that sees the statements of every test forgets most plans before it asks for them again."""

_CHANGE = re.compile(rb"(DROP|ALTER|DISCARD ALL|DEALLOCATE ALL)\b")

Connection = psycopg.Connection[Any]


class _Prepared(PrepareManager):
    """Keeps over a ROLLBACK what is prepared; psycopg has the server forget it, in case that undid a table.

    Each test has three of them, and what is planned once a session is planned once a worker.
    """

    def clear(self) -> bool:
        return False

    def _should_discard(self, prep: Prepare, results: Sequence[PGresult], *_: Any) -> bool:
        return any(_CHANGE.match(each.command_status or b"") for each in results) and super().clear()


_lock = Lock()
_kept: dict[tuple[int, str, str], list[Connection]] = defaultdict(list)
"""By process (a child must not share its parent's), database, and all that they were opened with."""
_opened: WeakKeyDictionary[Connection, tuple[int, str, str]] = WeakKeyDictionary()
"""The same of each that is in use."""
_lent: set[str] = set()


def keep(database: str) -> None:
    """From now on, connections to this database are kept."""
    _lent.add(database)


def take(values: dict[str, Any]) -> Connection:
    """A connection as `psycopg.connect` opens it with these values: one that was put back, or a new one."""
    plain = {name: value for name, value in values.items() if name != "context"}  # an engine's own, all alike
    key = (os.getpid(), str(values.get("dbname")), repr(sorted(plain.items())))
    while True:
        with _lock:
            found = _kept[key].pop() if _kept[key] else None
        if found is None:
            break
        if not _has_ended(found):
            return _noted(found, key)
        found.close()
    opened = psycopg.connect(**values)
    opened._prepared = _Prepared()
    opened.prepare_threshold, opened.prepared_max = _PREPARED
    return _noted(opened, key)


def put_back(connection: Connection) -> None:
    """Keep it for the next, as if it had just been opened. One that can't be is closed."""
    with _lock:
        key = _opened.pop(connection, None)
    try:
        if (
            key is not None
            and key[0] == os.getpid()
            and key[1] in _lent
            and len(_kept[key]) < _MOST
            and _is_forgetful(connection)
        ):
            with _lock:
                _kept[key].append(connection)
            return
    except psycopg.Error:
        pass
    connection.close()


def close(database: str) -> None:
    """Close those of this database that are kept: it is to be removed, or copied, and who comes then connects anew."""
    with _lock:
        found = [each for key in list(_kept) if key[:2] == (os.getpid(), database) for each in _kept.pop(key)]
    for each in found:
        each.close()


def sessions_of(database: str) -> list[int]:
    """The server's numbers of the kept sessions of this database."""
    with _lock:
        return [
            each.info.backend_pid for key, kept in _kept.items() if key[:2] == (os.getpid(), database) for each in kept
        ]


def _noted(connection: Connection, key: tuple[int, str, str]) -> Connection:
    with _lock:
        _opened[connection] = key
    return connection


def _is_forgetful(connection: Connection) -> bool:
    if connection.closed or connection.info.transaction_status == TransactionStatus.ACTIVE:
        return False
    connection.rollback()
    with suppress(ValueError):
        connection.remove_notice_handler(_log_notices)  # which each engine adds
    connection.prepare_threshold, connection.prepared_max = _PREPARED
    connection.autocommit = True
    connection.execute(_FORGET, prepare=False)
    connection.autocommit = False
    return True


def _has_ended(connection: Connection) -> bool:
    """A server that lives says nothing to who is idle."""
    if connection.closed:
        return True
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))
