"""PostgreSQL's timeline tells a server that took another's place from one that was merely started again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from billing.db.migrate import upgrade
from billing.queries.same_database import is_quiet, is_same, notice_server, pin_first
from billing.sandbox.embedded import Embedded, start


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Embedded]:
    """One of its own, that may be hurt."""
    embedded = start(tmp_path, lasting=False)
    yield embedded
    embedded.remove()


@contextmanager
def _session(server: Embedded) -> Iterator[Session]:
    engine = create_engine(server.database_url)
    with Session(engine) as session, session.begin():
        yield session
    engine.dispose()


def _recover_to_a_point_in_time(server: Embedded) -> None:
    """As a restore does, and a promotion: replay what there is, then begin a timeline of one's own."""
    data = server.folders.data
    with (data / "postgresql.auto.conf").open("a") as settings:
        # Nobody is let in before it has taken over.
        settings.write("restore_command = 'false'\nhot_standby = off\n")
    (data / "recovery.signal").touch()
    os.chown(data / "recovery.signal", server.folders.account.uid, server.folders.account.gid)


def test_it_changes_where_a_server_takes_over_and_stays_where_one_starts_again(server: Embedded) -> None:
    upgrade(server.database_url)
    with _session(server) as session:
        pin_first(session)
    server.kill_postgres()
    server.restart()
    with _session(server) as session:
        assert not is_same(session)
        notice_server(session)
        assert is_quiet(session, for_s=60), "its rows are all there"
    server.stop()
    _recover_to_a_point_in_time(server)
    server.restart()
    with _session(server) as session:
        notice_server(session)
        assert not is_quiet(session, for_s=60)
