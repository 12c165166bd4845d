"""The console's commands on a real database, broker and stand-in, told by the environment as an operator tells them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from billing import wiring
from billing.db.session import connect, sessions
from billing.models import SandboxClock
from billing.privacy.keyring import generate
from billing.sandbox.stripe.server import Server, serving
from billing.sandbox.stripe.store import MEMORY, Store

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Desk:
    """Where an operator sits: run a command, look at the rows, look at the provider."""

    folder: Path
    server: Server
    new_session: Callable[[], Session]

    def run(self, command: click.Command, *args: str) -> Result:
        return CliRunner().invoke(command, args)

    def write(self, name: str, text: str) -> str:
        """A file in the operator's folder; its path."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)


@pytest.fixture
def desk(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Everything configured; business time stands at 2026-01-01."""
    engine = connect(database_url)
    with serving(Store(MEMORY)) as server:
        told = {
            "DATABASE_URL": database_url,
            "BROKER_URL": broker_url,
            "STRIPE_API_KEY": "sk_test_desk",
            "STRIPE_API_BASE": server.url,
            "BILLING_SECRET_KEY": generate(),
            "BILLING_SANDBOX": "1",
        }
        for name, value in told.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        wiring.current.cache_clear()
        new_session = sessions(engine)
        with new_session.begin() as session:
            session.add(SandboxClock(one=1, instant=NOW))
        yield Desk(tmp_path, server, new_session)
        wiring.current().sessions.kw["bind"].dispose()
        wiring.current.cache_clear()
    engine.dispose()
