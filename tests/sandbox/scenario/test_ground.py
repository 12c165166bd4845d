"""The scratch databases of `billing simulate`: one a file, copied ahead, and none left behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest

from billing.sandbox.scenario.playing.ground import Ground
from tests.servers import Servers


@pytest.fixture
def server(_servers: Servers) -> str:
    return _servers.database_url


@pytest.fixture
def ground(server: str) -> Iterator[Ground]:
    made = Ground(server)
    yield made
    made.close()


def _name(address: str) -> str:
    return address.split("?", maxsplit=1)[0].rsplit("/", 1)[1]


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
        with psycopg.connect(copy.replace("+psycopg", "")) as connection:
            assert connection.execute("SELECT count(*) FROM billing.seller").fetchone() == (0,)


def test_the_next_is_copied_while_one_is_in_use_and_as_many_as_are_expected(ground: Ground, server: str) -> None:
    ground.expect(2)
    with ground.database() as first:
        assert ground._ahead is not None
        ahead = ground._ahead.result(timeout=30)
        assert ahead != _name(first)
        assert _there(server, ahead)
    with ground.database() as second:
        assert _name(second) == ahead
        assert ground._ahead is None


def test_none_is_left_behind_whether_it_was_asked_for_or_not(server: str) -> None:
    ground = Ground(server)
    ground.expect(2)
    with ground.database() as used:
        assert ground._ahead is not None
        ahead = ground._ahead.result(timeout=30)
    ground.close()
    assert not _there(server, _name(used))
    assert not _there(server, ahead)


def test_the_flows_are_loaded_after_the_first_copy_is_begun() -> None:
    program = (
        "import sys, billing.sandbox.scenario.command; "
        "print(sorted(name for name in sys.modules if name in {'billing.flows', 'billing.models', 'stripe'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
