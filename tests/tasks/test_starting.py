"""A real worker starts on a database that is its own to use, or ends: Celery itself swallows what a check raises."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from billing.flows.start import start
from billing.sandbox.stripe.server import serving
from billing.sandbox.stripe.store import MEMORY, Store
from billing.settings import Settings
from billing.wiring import build
from tests.stack import settings_for
from tests.worker_process import worker_process


def _ended(settings: Settings, said: Path, **more: str) -> tuple[int, str]:
    with worker_process("starting@test", settings, said, **more) as worker:
        try:
            status = worker.wait(60)
        except subprocess.TimeoutExpired:
            status = -1
    return status, said.read_text()


@pytest.mark.timeout(240)
def test_a_worker_with_another_accounts_key_or_without_its_database_never_starts(
    database_url: str, broker_url: str, tmp_path: Path
) -> None:
    with serving(Store(MEMORY)) as stand_in:
        settings = settings_for(database_url, stand_in.url).model_copy(update={"broker_url": broker_url})
        start(build(settings))
        status, said = _ended(settings, tmp_path / "other.log", STRIPE_API_KEY="sk_test_of_another_account")
        assert (status, "billing: STRIPE_API_KEY: wrong_account" in said) == (3, True), said[-500:]
        assert "sk_test_of_another_account" not in said
        nowhere = "postgresql+psycopg://nobody@127.0.0.1:9/nothing"
        status, said = _ended(settings, tmp_path / "away.log", DATABASE_URL=nowhere)
        assert (status, "billing: database: database_unavailable" in said) == (4, True), said[-500:]
