"""Sessions: one engine a process, every connection with time-outs, every transaction opened by a flow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.orm import Session, SessionTransaction, sessionmaker
from sqlalchemy.orm.exc import StaleDataError

from billing.db.alive import keep_alive
from billing.kernel.errors import Fault, Refused, Stale
from billing.kernel.ids import keep_to

SELLER = "billing.seller"
"""Key in `Session.info`, and the server's setting: the one seller whose rows a session sees (DECISIONS 9)."""
SELLERS_ROLE = "billing_seller"
"""Whom row-level security concerns. The owner of the tables, which sweeps use, sees all."""

_SCHEME = re.compile(r"\Apostgres(ql)?://")
_SERVER_OPTIONS = (
    "-c TimeZone=UTC -c statement_timeout=60000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=60000"
)
"""Milliseconds. A flow's transaction is short; whatever outlives these is a fault, not work."""


def over_psycopg(url: str) -> str:
    """The address as SQLAlchemy wants it; libpq, and many who host a PostgreSQL, spell it postgres:// as well."""
    return _SCHEME.sub("postgresql+psycopg://", url)


def connect(url: str, *, pool_size: int = 4, max_overflow: int = 4, ping: bool = True) -> Engine:
    """An engine over psycopg 3. Made after a fork, never before: children must not share connections.

    `ping` looks whether a connection still lives before it is used: a server may be restarted under us. Connecting
    raises `Refused` (`session_settings_lost`).
    """
    engine = create_engine(
        over_psycopg(url),
        pool_size=pool_size,
        max_overflow=max_overflow,
        # Statements in errors keep their placeholders: values may be personal.
        hide_parameters=True,
        connect_args={
            "connect_timeout": 5,
            "options": _SERVER_OPTIONS,
            "keepalives": 1,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        },
    )
    event.listen(engine, "connect", _begin)
    if ping:
        keep_alive(engine)
    return engine


_BEGIN = """
    SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
        current_setting('TimeZone') = 'UTC' AND current_setting('lock_timeout') <> '0'
"""
_LOST = Fault(
    "DATABASE_URL",
    "session_settings_lost",
    "something between us and PostgreSQL drops our time zone and time-outs: name the server itself, or a pooler in "
    "session mode that passes `options` on",
)


def _begin(connection: Any, _: object) -> None:
    """Ids of this process are made by the database's clock, as all wall time is; days and months are read in UTC.

    Raises `Refused` (`session_settings_lost`).
    """
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN)
        micros, kept = cursor.fetchone()
    connection.rollback()
    if not kept:
        raise Refused(_LOST)
    keep_to(micros * 1000)


def sessions(engine: Engine, info: dict[str, Any] | None = None) -> sessionmaker[Session]:
    """A session factory whose sessions carry `info` (the transport of after-commit messages)."""
    return sessionmaker(engine, expire_on_commit=False, info=info or {})


@contextmanager
def quickest_wins() -> Iterator[None]:
    """Raises `Stale` where a row that is changed or locked within was changed by another since it was read."""
    try:
        yield
    except StaleDataError:
        raise Stale("another was quicker to change a row; read it again, and decide anew") from None


def for_seller(of_all: sessionmaker[Session], seller_id: UUID) -> sessionmaker[Session]:
    """The same sessions, behind the second wall: a query that forgets its filter finds no other seller's row."""
    info = {**of_all.kw["info"], SELLER: seller_id}
    return sessionmaker(of_all.kw["bind"], expire_on_commit=False, info=info)


def is_walled(session: Session) -> bool:
    """Whether the server can set the role at all: it exists, and we may take it."""
    found = text("SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = :role")
    return bool(session.scalar(found, {"role": SELLERS_ROLE}))


_CLOSED = ("operator", "operator_session", "operator_order", "login_try", "api_use")
"""Tables of people and of tries to come in, which the API has no business with."""
_ASTRAY = text(
    """
    SELECT relname FROM pg_class
    WHERE relnamespace = 'billing'::regnamespace AND relkind IN ('r', 'p')
      AND has_table_privilege(:role, oid, 'SELECT') = (relname = ANY(:closed))
    ORDER BY relname
    """
)


def wall_astray(session: Session) -> list[str]:
    """Tables that the role may read and should not, or should and may not: it was made by hand. It exists."""
    return list(session.scalars(_ASTRAY, {"role": SELLERS_ROLE, "closed": list(_CLOSED)}))


_ENTER = text("SELECT set_config('role', :role, true), set_config('billing.seller', :seller, true)")
_STEP_OUT = text("SELECT set_config('role', 'none', true)")


@event.listens_for(Session, "after_begin")
def _wall(session: Session, _: SessionTransaction, connection: Connection) -> None:
    seller = session.info.get(SELLER)
    if seller is not None:
        connection.execute(_ENTER, {"role": SELLERS_ROLE, "seller": str(seller)})


@contextmanager
def as_owner(session: Session) -> Iterator[None]:
    """Step out from behind the wall for one statement that the server doesn't run there: COPY FROM."""
    seller = session.info.get(SELLER)
    if seller is None:
        yield
        return
    session.execute(_STEP_OUT)
    yield
    session.execute(_ENTER, {"role": SELLERS_ROLE, "seller": str(seller)})
