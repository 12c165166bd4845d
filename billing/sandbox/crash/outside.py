"""Levers on a cycle's database from outside it: what an administrator, or an accident, does to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from billing.sandbox.crash.stage import Stage


def name_of(stage: Stage) -> str:
    """The database's name on its server."""
    return make_url(stage.parts.settings.database_url or "").database or ""


def on_server(stage: Stage, statement: str) -> None:
    """Tell the database server something from outside the cycle's database."""
    url = make_url(stage.parts.settings.database_url or "").set(drivername="postgresql", database="postgres")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(sql.SQL(statement))


def cut_sessions(stage: Stage) -> None:
    """End every session of the cycle's database, as an administrator does (57P01)."""
    ending = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name_of(stage)}'"  # noqa: S608
    on_server(stage, ending)


_CLOCKS = ("clock_timestamp", "statement_timestamp", "transaction_timestamp", "now")
_WRONG = """
CREATE OR REPLACE FUNCTION wrong.{name}() RETURNS timestamptz LANGUAGE sql VOLATILE AS
$$ SELECT pg_catalog.{name}() + make_interval(secs => {seconds}) $$
"""


def set_clock_of_server(stage: Stage, seconds: int) -> None:
    """The database comes back with a clock that is wrong by so much: 0 is right again. Its sessions have ended."""
    with stage.parts.begin() as session:
        tell = session.connection().exec_driver_sql
        tell("CREATE SCHEMA IF NOT EXISTS wrong")
        for name in _CLOCKS:
            tell(_WRONG.format(name=name, seconds=seconds))
    # What stands before `pg_catalog` is found first.
    on_server(stage, f'ALTER DATABASE "{name_of(stage)}" SET search_path = wrong, pg_catalog, public')
    cut_sessions(stage)
    stage.parts.sessions.kw["bind"].dispose()


@contextmanager
def without_database(stage: Stage) -> Iterator[None]:
    """Every session is ended, and no new one is let in, for the length of the block."""
    name = name_of(stage)
    on_server(stage, f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false')
    cut_sessions(stage)
    try:
        yield
    finally:
        on_server(stage, f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS true')
