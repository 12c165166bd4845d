from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from billing.db.rows import stream
from billing.db.session import connect


@pytest.fixture
def session(database_url: str) -> Iterator[Session]:
    engine = connect(database_url)
    with Session(engine) as opened:
        yield opened
    engine.dispose()


def test_rows_are_read_as_the_server_finds_them(session: Session) -> None:
    """It fails at the third, and would have failed before the first had all been read at once."""
    found = stream(session, "SELECT 6 / (3 - n) FROM generate_series(1, :last) n", {"last": 5}, page=1)
    assert [next(found), next(found)] == [(3,), (6,)]
    with pytest.raises(DBAPIError):
        next(found)


def test_whoever_takes_no_more_leaves_the_session_as_it_was(session: Session) -> None:
    found = stream(session, "SELECT n FROM generate_series(1, 100000) n", {}, page=10)
    assert next(found) == (1,)
    found.close()
    session.rollback()
    assert session.scalar(text("SELECT 1")) == 1


def test_without_a_page_others_can_be_asked_before_the_last_was_taken(session: Session) -> None:
    found = stream(session, "SELECT n FROM generate_series(1, 3) n ORDER BY n", {}, page=None)
    assert next(found) == (1,)
    assert session.scalar(text("SELECT 1")) == 1
    assert list(found) == [(2,), (3,)]


@pytest.mark.parametrize("page", [10, None])
def test_values_are_told_apart_from_the_words_of_the_statement(session: Session, page: int | None) -> None:
    at = datetime(2026, 1, 31, tzinfo=UTC)
    asked = "SELECT CAST(:at AS timestamptz), '100 %' LIKE :like, '12:30', CAST(:none AS uuid)"
    told = stream(session, asked, {"at": at, "like": "%00 %", "none": None, "unused": 1}, page=page)
    assert list(told) == [(at, True, "12:30", None)]
