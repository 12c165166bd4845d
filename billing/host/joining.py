"""Joining the host's transaction: what billing writes is committed with what the host writes, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.pq import Format
from psycopg.rows import tuple_row
from psycopg.types.datetime import TimestamptzLoader
from psycopg.types.json import JsonbLoader, JsonLoader
from sqlalchemy import Engine, NullPool, create_engine
from sqlalchemy.orm import Session

from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.queue.buffer import TRANSPORT, Message


@contextmanager
def within(parts: Parts, session: Session | None) -> Iterator[Session]:
    """A transaction of our own, or a savepoint in the host's: what is refused is taken back, and the host goes on.

    Messages leave when the host has committed. Raises `Refused` (`autoflush_off`): our statements read what was added.
    """
    if session is None:
        with parts.begin() as own:
            yield own
        return
    if not session.autoflush:
        raise Refused(Fault("session", "autoflush_off", "hand over a session with autoflush"))
    session.info.setdefault(TRANSPORT, parts.transport)
    with session.begin_nested():
        yield session


class _Borrowed:
    """A connection of another library, in its transaction: it alone begins, commits, rolls back and closes."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def cursor(self, *, binary: bool = False, row_factory: Any = tuple_row) -> psycopg.Cursor[Any]:
        """Of psycopg's own manners, whatever the other library has taught the connection."""
        cursor = psycopg.Cursor(self._connection, row_factory=row_factory)
        if binary:
            cursor.format = Format.BINARY
        cursor.adapters.register_loader("json", JsonLoader)
        cursor.adapters.register_loader("jsonb", JsonbLoader)
        cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
        return cursor

    def commit(self) -> None:
        """The other library's to do."""

    def rollback(self) -> None:
        """The other library's to do."""

    def close(self) -> None:
        """The other library's to do."""


class _Kept:
    """Messages that wait for another library's commit."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, messages: list[Message]) -> None:
        self.messages += messages


@contextmanager
def borrowed(
    parts: Parts, connection: psycopg.Connection[Any], *, on_commit: Callable[[Callable[[], None]], Any]
) -> Iterator[Session]:
    """A session on the open transaction of another library's psycopg connection, such as Django's.

    `on_commit` is that library's way to be called once it has committed: then workers are woken.
    """
    engine, kept = _engine(connection), _Kept()
    with Session(engine, expire_on_commit=False, info={TRANSPORT: kept}) as session, session.begin():
        yield session
    transport = parts.transport
    if kept.messages and transport is not None:
        on_commit(lambda: transport.send(kept.messages))


def _engine(connection: psycopg.Connection[Any]) -> Engine:
    return create_engine(
        "postgresql+psycopg://",
        creator=lambda: _Borrowed(connection),
        poolclass=NullPool,
        hide_parameters=True,
        use_native_hstore=False,
    )
