"""The scratch databases of `billing simulate`: copied ahead, emptied and used again, and none left behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import text

from billing.sandbox.scenario.playing import ground as grounds
from billing.sandbox.scenario.playing.ground import Ground, Scratch
from tests.servers import Servers


@pytest.fixture
def server(_servers: Servers) -> str:
    return _servers.database_url


@pytest.fixture
def ground(server: str) -> Iterator[Ground]:
    made = Ground(server)
    yield made
    made.close()


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch, server: str) -> Iterator[Ground]:
    """As one who is no superuser has it."""
    made = Ground(server)
    monkeypatch.setattr(made, "_empties", False)
    yield made
    made.close()


def _ask(scratch: Scratch, question: str) -> object:
    with scratch.engine.connect() as connection:
        return connection.execute(text(question)).scalar_one()


def _run(scratch: Scratch, statement: str) -> None:
    with scratch.engine.begin() as connection:
        connection.execute(text(statement))


def _there(server: str, name: str) -> bool:
    with psycopg.connect(server.replace("+psycopg", "")) as connection:
        return bool(connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).rowcount)


def test_a_copy_that_a_killed_run_left_is_removed(server: str) -> None:
    ground = Ground(server)
    ground._server.execute("CREATE DATABASE billing_simulate_of_nobody")
    ground.close()
    Ground(server).close()
    assert not _there(server, "billing_simulate_of_nobody")


def test_a_copy_in_use_is_left_to_its_run_whichever_database_that_was_given(ground: Ground, database_url: str) -> None:
    with ground.database() as copy:
        Ground(database_url).close()
        assert _ask(copy, "SELECT count(*) FROM billing.seller") == 0


CLOCK = "INSERT INTO billing.sandbox_clock (one, instant) VALUES (1, now())"
COUNT = "SELECT count(*) FROM billing.sandbox_clock"
SESSION = "SELECT pg_backend_pid()"


def test_the_same_is_empty_again_for_the_next_with_the_session_that_was_at_it(ground: Ground) -> None:
    ground.expect(2)
    with ground.database() as first:
        _run(first, CLOCK)
        session = _ask(first, SESSION)
        assert _ask(first, COUNT) == 1
    with ground.database() as second:
        assert (second.name, _ask(second, COUNT), _ask(second, SESSION)) == (first.name, 0, session)


@pytest.mark.parametrize("change", ["CREATE TABLE public.more (id int)", "DROP INDEX billing.ix_payment_listed"])
def test_one_in_which_more_than_rows_was_changed_is_not_used_again(ground: Ground, server: str, change: str) -> None:
    ground.expect(2)
    with ground.database() as first:
        _run(first, change)
    with ground.database() as second:
        assert second.name != first.name
        assert _ask(second, "SELECT to_regclass('public.more') IS NULL") is True
    assert not _there(server, first.name)


def test_nor_is_one_whose_rows_somebody_holds(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grounds, "_WAITS_MS", 1)
    ground.expect(2)
    with ground.database() as first:
        _run(first, CLOCK)
        holder = psycopg.connect(first.address.render_as_string(hide_password=False))
        holder.execute("LOCK TABLE billing.sandbox_clock")
    with ground.database() as second:
        assert second.name != first.name
    holder.close()


def test_where_none_can_be_emptied_the_next_is_copied_while_one_is_in_use(bound: Ground, server: str) -> None:
    bound.expect(2)
    with bound.database() as first:
        assert bound._ahead is not None
        ahead = bound._ahead.result(timeout=30).name
        assert ahead != first.name
        assert _there(server, ahead)
    with bound.database() as second:
        assert second.name == ahead
        assert bound._ahead is None


@pytest.mark.parametrize("empties", [True, False])
def test_none_is_left_behind_whether_it_was_asked_for_or_not(server: str, *, empties: bool) -> None:
    ground = Ground(server)
    ground._empties = empties
    ground.expect(2)
    with ground.database() as used:
        _run(used, CLOCK)
    assert ground._ahead is not None
    ahead = ground._ahead.result(timeout=30).name
    assert (ahead == used.name) is empties
    ground.close()
    assert not _there(server, used.name)
    assert not _there(server, ahead)


def test_the_flows_are_loaded_after_the_first_copy_is_begun() -> None:
    program = (
        "import sys, billing.sandbox.scenario.command; "
        "print(sorted(name for name in sys.modules if name in {'billing.flows', 'billing.models', 'stripe'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
