"""Joining the host's transaction: what billing writes is committed with what the host writes, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast
from weakref import WeakKeyDictionary, WeakSet

import psycopg
from psycopg.pq import Format, TransactionStatus
from psycopg.rows import tuple_row
from psycopg.types.datetime import TimestamptzLoader
from psycopg.types.json import JsonbLoader, JsonLoader
from sqlalchemy import Engine, NullPool, create_engine, text
from sqlalchemy.orm import Session, scoped_session

from billing.db.session import quickest_wins
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.queue.buffer import TRANSPORT, Message

HostSession = Session | scoped_session[Any]
"""A session of the host's; Flask-SQLAlchemy's `db.session` is of the second kind."""


@contextmanager
def within(parts: Parts, session: HostSession | None) -> Iterator[Session]:
    """A transaction of our own, or a savepoint in the host's: what is refused is taken back, and the host goes on.

    Messages leave when the host has committed. Raises `Refused`: `autoflush_off` (our statements read what was added),
    `another_driver`, `another_database`, `transaction_missing` (a session that commits each statement joins nothing),
    `isolation_differs`.
    """
    if session is None:
        with parts.begin() as own:
            yield own
        return
    if isinstance(session, scoped_session):
        # What listens for the commit listens to this one session, not to all of its kind.
        session = cast("Session", session())
    if not session.autoflush:
        raise Refused(Fault("session", "autoflush_off", "hand over a session with autoflush"))
    _require_a_transaction(session)
    session.info.setdefault(TRANSPORT, parts.transport)
    # What the host has not written yet is the host's to answer for.
    session.flush()
    with quickest_wins(), session.begin_nested(), _in_utc(session):
        _require_our_database(parts, session)
        yield session


def _require_a_transaction(session: Session) -> None:
    connection = session.connection().connection.driver_connection
    if not isinstance(connection, psycopg.Connection | _Borrowed):
        raise Refused(Fault("session", "another_driver", "make its engine with postgresql+psycopg://"))
    if connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE:
        raise Refused(_MISSING)


def _require_our_database(parts: Parts, session: Session) -> None:
    """Asked once an engine: two databases of one server, or two servers, are told apart by what both say."""
    known: WeakSet[Engine] = _KNOWN.setdefault(parts.sessions, WeakSet())
    engine = session.connection().engine
    if engine in known:
        return
    theirs = session.execute(_WHERE).one()
    with parts.begin() as own:
        ours = own.execute(_WHERE).one()
    if theirs != ours:
        raise Refused(Fault("session", "another_database", "hand over a session on the database of DATABASE_URL"))
    known.add(engine)


@contextmanager
def _in_utc(session: Session) -> Iterator[None]:
    """Days and months are read off instants in UTC, wherever the host's own session stands; then it stands there again.

    A savepoint that is rolled back puts it back by itself.
    """
    before, isolation = session.execute(_STANDS).one()
    if isolation != "read committed":
        # After a lock was waited for we read what was written meanwhile: such a transaction sees it as it began.
        raise Refused(Fault("session", "isolation_differs", "leave the isolation of its transaction at READ COMMITTED"))
    if before == "UTC":
        yield
        return
    session.execute(_SET_ZONE, {"zone": "UTC"})
    yield
    session.execute(_SET_ZONE, {"zone": before})


_MISSING = Fault("session", "transaction_missing", "begin a transaction first, such as Django's transaction.atomic()")
_WHERE = text("SELECT pg_postmaster_start_time(), (SELECT oid FROM pg_database WHERE datname = current_database())")
_STANDS = text("SELECT current_setting('TimeZone'), current_setting('transaction_isolation')")
_SET_ZONE = text("SELECT set_config('TimeZone', :zone, true)")
_KNOWN: WeakKeyDictionary[object, WeakSet[Engine]] = WeakKeyDictionary()


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

    `on_commit` is that library's way to be called once it has committed: then workers are woken. A failure within takes
    back all that was done within. Raises `Refused`
    (`transaction_missing`) where that library commits each statement by itself.
    """
    if connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE:
        raise Refused(_MISSING)
    engine, kept = _engine(connection), _Kept()
    # A savepoint of its own: to roll back is the other library's to do, and it may go on after a failure in here.
    with (
        Session(engine, expire_on_commit=False, info={TRANSPORT: kept}) as session,
        session.begin(),
        session.begin_nested(),
    ):
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
