"""Connections: what a process takes over from the database as it connects."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from billing.db import session
from billing.db.migrate import check
from billing.db.session import connect
from billing.kernel.errors import Refused
from billing.kernel.ids import keep_to, lowest_id_at, new_id

_TWO_HOURS_NS = 7200 * 10**9


@pytest.fixture(autouse=True)
def _in_the_end_by_our_own_clock() -> Iterator[None]:
    yield
    keep_to(time.time_ns())


@pytest.mark.parametrize("wrong_ns", [_TWO_HOURS_NS, -_TWO_HOURS_NS], ids=["ahead", "behind"])
def test_ids_are_made_by_the_clock_of_the_database(
    database_url: str, monkeypatch: pytest.MonkeyPatch, wrong_ns: int
) -> None:
    right = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: right() + wrong_ns)
    engine = connect(database_url)
    try:
        with engine.connect() as connection:
            wall: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            made = new_id()
        assert lowest_id_at(wall - timedelta(seconds=1)) < made < lowest_id_at(wall + timedelta(minutes=1))
    finally:
        engine.dispose()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_that_libpq_and_hosting_companies_use_connects(database_url: str, scheme: str) -> None:
    url = f"{scheme}://{database_url.partition('://')[2]}"
    check(url)
    engine = connect(url)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    engine.dispose()


@pytest.mark.parametrize("lost", ["", "-c lock_timeout=10000 -c TimeZone=America/Santiago"])
def test_a_pooler_that_drops_what_we_ask_of_a_session_is_refused(
    database_url: str, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    monkeypatch.setattr(session, "_SERVER_OPTIONS", lost)
    engine = connect(database_url)
    with pytest.raises(Refused) as refused, engine.connect():
        pass
    assert [(fault.field, fault.code) for fault in refused.value.faults] == [("DATABASE_URL", "session_settings_lost")]
    engine.dispose()
