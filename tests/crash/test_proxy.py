"""The proxy: it passes everything on, names what was committed, and can lose the answer to a commit."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from billing.sandbox.crash.proxy import Proxy

WRITE = text("INSERT INTO billing.heartbeat (tick, worker, seen_at) VALUES (:tick, 'w', now())")
MOVE = text("INSERT INTO billing.sandbox_clock (one, instant) VALUES (1, now()) ON CONFLICT DO NOTHING")


def test_a_lost_answer_is_an_error_for_the_client_and_a_commit_for_the_server(database_url: str) -> None:
    proxy = Proxy(database_url, cut="heartbeat+sandbox_clock", hit=2)
    try:
        through, direct = (create_engine(url, poolclass=NullPool) for url in (proxy.url, database_url))
        for tick in ("first", "second"):
            with (
                pytest.raises(OperationalError) if tick == "second" else through.connect(),
                through.connect() as session,
            ):
                session.execute(WRITE, {"tick": tick})
                session.execute(MOVE)
                session.commit()
        assert proxy.was_cut
        assert proxy.commits == ["heartbeat+sandbox_clock"] * 2
        with direct.connect() as session:
            assert session.scalar(text("SELECT count(*) FROM billing.heartbeat")) == 2
    finally:
        proxy.close()


def test_reading_and_rolling_back_are_no_commits(database_url: str) -> None:
    proxy = Proxy(database_url)
    try:
        engine = create_engine(proxy.url, poolclass=NullPool)
        with engine.connect() as session:
            session.execute(text("SELECT count(*) FROM billing.heartbeat"))
            session.commit()
            session.execute(WRITE, {"tick": "third"})
            session.rollback()
            # What only a tick notes is not worth a fault.
            session.execute(WRITE, {"tick": "fourth"})
            session.commit()
        assert proxy.commits == []
    finally:
        proxy.close()
