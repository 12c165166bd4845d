"""A play that is told to stop does so in order, whatever it is in the middle of, and leaves no database behind."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from billing.sandbox.scenario.stopping import STOPPING
from tests.servers import Servers

LONG = """
scenario: 1
seller: {country: US, currency: usd}
prices: {a: {product: NAME, amount: 1000, interval: day}}
customers: {c: {payment_method: visa}}
timeline:
  - {at: 2026-01-01, do: subscribe, as: s, customer: c, items: [{price: a}]}
until: 2126-01-01
"""


@pytest.fixture
def server(_servers: Servers) -> str:
    return _servers.database_url


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGHUP, 129)]
)
def test_a_play_that_is_told_to_stop_ends_in_order(
    server: str, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    path, name = tmp_path / "long.yaml", f"s{secrets.token_hex(6)}"
    path.write_text(LONG.replace("NAME", name), encoding="utf-8")
    playing = subprocess.Popen(
        [sys.executable, "-m", "billing", "simulate", str(path)],
        env={**os.environ, "DATABASE_URL": server},
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 (no threads yet)
    )
    try:
        database = _played_on(server, name)
        playing.send_signal(number)
        _, said = playing.communicate(timeout=60)
    finally:
        playing.kill()
    assert playing.returncode == status, said
    assert database not in _copies(server)


def test_within_a_piece_of_work_a_signal_waits_for_its_end_and_a_second_one_does_not() -> None:
    with STOPPING.heard(), STOPPING.at_work():
        STOPPING.pause()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            STOPPING.pause()
    with STOPPING.heard(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    with STOPPING.heard(), STOPPING.at_work():
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(SystemExit) as ended:
            signal.raise_signal(signal.SIGTERM)
    assert ended.value.code == 128 + signal.SIGTERM


def _played_on(server: str, name: str) -> str:
    """The database on which this product is sold, once there are invoices in it: other tests play beside us."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for database in _copies(server):
            if _invoices(server, database, name) > 3:
                return database
    raise AssertionError("nothing was played")


def _copies(server: str) -> set[str]:
    with psycopg.connect(_address(server)) as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, 'billing_simulate_of_')")
        return {name for (name,) in rows}


def _invoices(server: str, database: str, name: str) -> int:
    query = "SELECT count(*) FROM billing.invoice WHERE EXISTS (SELECT FROM billing.product WHERE name = %s)"
    try:
        with psycopg.connect(_address(server), dbname=database) as connection:
            row = connection.execute(query, [name]).fetchone()
            return row[0] if row else 0
    except psycopg.OperationalError:
        return 0


def _address(server: str) -> str:
    return server.replace("+psycopg", "")
