"""A test's database is lent again: emptied where rows alone were changed, and thrown away otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from sqlalchemy import Engine, text

from billing.db.session import connect
from billing.sandbox import emptying
from tests.servers import Databases


@pytest.fixture
def lent(_databases: Databases) -> Iterator[Callable[[], Engine]]:
    """Takes the last one back, if any, and lends the next."""
    engines: list[Engine] = []

    def give_back() -> None:
        if engines:
            engine = engines.pop()
            engine.dispose()
            _databases.take_back(str(engine.url.database))

    def lend() -> Engine:
        give_back()
        engines.append(connect(_databases.url_of(_databases.lend())))
        return engines[-1]

    yield lend
    give_back()


def _run(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


def _ask(engine: Engine, question: str) -> object:
    with engine.connect() as connection:
        return connection.execute(text(question)).scalar_one()


CLOCK = """
    INSERT INTO billing.sandbox_clock (one, instant) VALUES (1, now())
    ON CONFLICT (one) DO UPDATE SET instant = excluded.instant
"""
COUNT = "SELECT count(*) FROM billing.sandbox_clock"


def test_it_comes_back_empty_with_the_session_that_was_at_it(lent: Callable[[], Engine]) -> None:
    first = lent()
    _run(first, CLOCK)
    _run(first, "SET work_mem = '77MB'")
    session, lock = _ask(first, "SELECT pg_backend_pid()"), _ask(first, "SELECT pg_try_advisory_lock(1)")
    assert (lock, _ask(first, COUNT)) == (True, 1)
    second = lent()
    assert (second.url, _ask(second, COUNT)) == (first.url, 0)
    assert _ask(second, "SELECT pg_backend_pid()") == session
    assert _ask(second, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()") == 0
    assert _ask(second, "SELECT current_setting('work_mem')") != "77MB"


PLANS = "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT 4711'"


def test_its_session_knows_its_plans_after_a_rollback_but_not_after_a_change_of_tables(
    lent: Callable[[], Engine],
) -> None:
    first = lent()
    for _ in range(3):
        assert _ask(first, "SELECT 4711") == 4711
    with first.connect() as connection, connection.begin() as transaction:
        transaction.rollback()
    second = lent()
    assert (second.url, _ask(second, PLANS)) == (first.url, 1)
    _run(second, "ALTER TABLE billing.payment ADD COLUMN more text")
    assert _ask(second, PLANS) == 0


def test_who_is_still_at_it_is_cut(lent: Callable[[], Engine]) -> None:
    first = lent()
    address = first.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as other:
        other.execute(COUNT)
        second = lent()
        assert second.url == first.url
        with pytest.raises(psycopg.OperationalError):
            other.execute(COUNT)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE billing.payment DISABLE TRIGGER ALL",
        "CREATE TABLE public.application (id int)",
        "DROP INDEX billing.ix_payment_listed",
        "ALTER TABLE billing.payment ADD COLUMN more text",
        "ALTER TABLE billing.payment DROP COLUMN reason",
        "CREATE FUNCTION public.more() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA application",
        "REVOKE SELECT ON billing.payment FROM billing_seller",
        "UPDATE billing.alembic_version SET version_num = '0001'",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''77MB''', current_database()); END $$",
    ],
)
def test_one_that_was_changed_is_not_lent_again(lent: Callable[[], Engine], change: str) -> None:
    first = lent()
    _run(first, change)
    second = lent()
    assert second.url != first.url
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(first.url.set(drivername="postgresql").render_as_string(hide_password=False))


def test_one_whose_files_have_grown_is_not_lent_again(
    lent: Callable[[], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emptying, "_MOST_PAGES", 1)
    first = lent()
    _run(first, CLOCK)
    assert lent().url != first.url


def test_what_is_made_and_gone_again_is_a_change(lent: Callable[[], Engine]) -> None:
    """A trigger that is off and on again has left its place in the catalog."""
    first = lent()
    _run(first, "ALTER TABLE billing.payment DISABLE TRIGGER ALL")
    _run(first, "ALTER TABLE billing.payment ENABLE TRIGGER ALL")
    assert lent().url != first.url
