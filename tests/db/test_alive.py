"""A connection whose server is gone is not given out; one that was used a moment ago costs no round trip."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import Engine, create_engine, text

from billing.db import alive
from billing.db.session import connect


def _pid(engine: Engine) -> int:
    with engine.begin() as connection:
        return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


def _end(database_url: str, pid: int) -> None:
    other = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://", 1))
    with other.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": pid})
    other.dispose()


@pytest.mark.parametrize("fresh_s", [30.0, 0.0])
def test_who_comes_after_the_server_dropped_a_connection_gets_a_new_one(
    database_url: str, monkeypatch: pytest.MonkeyPatch, fresh_s: float
) -> None:
    monkeypatch.setattr(alive, "_FRESH_S", fresh_s)
    engine = connect(database_url, pool_size=1, max_overflow=0)
    first = _pid(engine)
    assert _pid(engine) == first
    _end(database_url, first)
    second = _pid(engine)
    assert second != first
    assert _pid(engine) == second
    engine.dispose()


def test_one_that_was_idle_for_long_is_asked(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = connect(database_url, pool_size=1, max_overflow=0)
    first = _pid(engine)
    monkeypatch.setattr(time, "monotonic", lambda: 1e9)
    assert _pid(engine) == first
    engine.dispose()
