"""A play that is told to stop does so in order, whatever it is in the middle of, and leaves no database behind."""

from __future__ import annotations

import os
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
prices: {a: {product: A, amount: 1000, interval: day}}
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
    path = tmp_path / "long.yaml"
    path.write_text(LONG, encoding="utf-8")
    before = _copies(server)
    playing = subprocess.Popen(
        [sys.executable, "-m", "billing", "simulate", str(path)],
        env={**os.environ, "DATABASE_URL": server},
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 (no threads yet)
    )
    try:
        (name,) = _played_on(server, before)
        playing.send_signal(number)
        _, said = playing.communicate(timeout=60)
    finally:
        playing.kill()
    assert playing.returncode == status, said
    assert name not in _copies(server)


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


def _played_on(server: str, before: set[str]) -> set[str]:
    """The database that is played on, once there are invoices in it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for name in _copies(server) - before:
            if _invoices(server, name) > 3:
                return {name}
    raise AssertionError("nothing was played")


def _copies(server: str) -> set[str]:
    with psycopg.connect(_address(server)) as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, 'billing_simulate_of_')")
        return {name for (name,) in rows}


def _invoices(server: str, name: str) -> int:
    try:
        with psycopg.connect(_address(server), dbname=name) as connection:
            row = connection.execute("SELECT count(*) FROM billing.invoice").fetchone()
            return row[0] if row else 0
    except psycopg.OperationalError:
        return 0


def _address(server: str) -> str:
    return server.replace("+psycopg", "")
