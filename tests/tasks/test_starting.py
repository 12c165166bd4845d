"""Each process starts on a database that is its own to use, or ends with one sentence: Celery itself swallows what a
check raises, and servers print a traceback of it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from billing.flows.start import start
from billing.sandbox.stripe.server import serving
from billing.sandbox.stripe.store import MEMORY, Store
from billing.settings import Settings
from billing.wiring import build
from tests.stack import settings_for
from tests.worker_process import process

WORKER = ("celery", "-A", "worker", "worker", "-c", "1", "-n", "starting@test", "--without-gossip", "--without-mingle")
BEAT = ("celery", "-A", "worker", "beat")
WEB = ("waitress", "--listen=127.0.0.1:0", "wsgi:app")
EACH = pytest.mark.parametrize("argv", [WORKER, BEAT, WEB], ids=["worker", "beat", "web"])


def _ended(argv: Sequence[str], settings: Settings, said: Path, **more: str) -> tuple[int, str]:
    with process(argv, settings, said, **more) as started:
        try:
            status = started.wait(60)
        except subprocess.TimeoutExpired:
            status = -1
    told = said.read_text()
    assert [line for line in told.splitlines() if "Traceback" in line] == []
    return status, "".join(line for line in told.splitlines(keepends=True) if line.startswith("billing: "))


@pytest.fixture
def settings(database_url: str, broker_url: str) -> Iterator[Settings]:
    """Of a database that is migrated and has its account pinned."""
    with serving(Store(MEMORY)) as stand_in:
        made = settings_for(database_url, stand_in.url).model_copy(update={"broker_url": broker_url})
        start(build(made))
        yield made


@EACH
@pytest.mark.timeout(240)
def test_with_another_accounts_key_or_without_its_database_it_never_starts(
    settings: Settings, tmp_path: Path, argv: Sequence[str]
) -> None:
    status, said = _ended(argv, settings, tmp_path / "other.log", STRIPE_API_KEY="sk_test_of_another_account")
    assert (status, said.startswith("billing: STRIPE_API_KEY: wrong_account")) == (3, True), said[-500:]
    assert "sk_test_of_another_account" not in said
    nowhere = "postgresql+psycopg://nobody@127.0.0.1:9/nothing"
    status, said = _ended(argv, settings, tmp_path / "away.log", DATABASE_URL=nowhere)
    assert (status, said.startswith("billing: database: database_unavailable")) == (4, True), said[-500:]


@EACH
@pytest.mark.timeout(240)
def test_on_a_database_that_is_not_migrated_or_by_wrong_settings_it_never_starts(
    settings: Settings, tmp_path: Path, argv: Sequence[str]
) -> None:
    status, said = _ended(argv, settings, tmp_path / "console.log", BILLING_CONSOLE="zzz")
    assert (status, said.count("\n")) == (3, 1)
    assert said.startswith("billing: BILLING_CONSOLE: invalid_setting")
    assert settings.database_url is not None
    with create_engine(settings.database_url, poolclass=NullPool).begin() as connection:
        connection.execute(text("DELETE FROM billing.alembic_version"))
    status, said = _ended(argv, settings, tmp_path / "plain.log")
    assert (status, said) == (3, "billing: database: not_migrated — run `billing db upgrade`\n")
