"""An operator's office: the whole console, told by the environment, over a company with a real provider stand-in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from click.testing import CliRunner, Result
from sqlalchemy import select, text

from billing import wiring
from billing.__main__ import cli
from billing.flows import upkeep
from billing.models import AuditRecord, WorkItem
from tests.flows.company import Company, company

WHY = ("--reason", "the cause is mended", "--by", "ada")


@dataclass(frozen=True)
class Office:
    """The console, and the company behind it."""

    acme: Company
    broker_url: str

    def run(self, *args: str) -> Result:
        """Run `billing` with these arguments, in this process."""
        result = CliRunner().invoke(cli, args, prog_name="billing")
        assert "Traceback" not in result.stderr
        return result

    def ok(self, *args: str) -> str:
        """What it prints, where it ends with status 0."""
        result = self.run(*args)
        assert result.exit_code == 0, result.output
        return result.stdout

    def read(self, *args: str) -> Any:
        """The JSON that it prints, where it ends with status 0."""
        return json.loads(self.ok(*args, "--json"))

    def items(self) -> list[WorkItem]:
        with self.acme.begin() as session:
            return list(session.scalars(select(WorkItem).order_by(WorkItem.id)))

    def trail(self) -> list[AuditRecord]:
        """What `ada` did."""
        with self.acme.begin() as session:
            return list(session.scalars(select(AuditRecord).where(AuditRecord.actor == "ada").order_by(AuditRecord.id)))

    def waiting_in(self, queue: str) -> int:
        """Messages that wait in a queue of the broker."""
        address = self.broker_url.replace("redis+socket:", "unix:").replace("virtual_host=", "db=")
        with redis.Redis.from_url(address) as client:
            count = client.llen(queue)
            assert isinstance(count, int)
            return count

    def execute(self, statement: str, **values: Any) -> None:
        with self.acme.parts.begin() as session:
            session.execute(text(statement), values)

    def fingerprint(self) -> dict[str, Any]:
        """Every row of every table that an operator's order may change, as text."""
        tables = (
            "work_item", "subscription", "subscription_item", "waiting_line", "invoice", "payment", "payment_intent",
            "refund", "credit_balance", "posting", "provider_event", "audit_trail", "outbox",
        )  # fmt: skip
        with self.acme.begin() as session:
            return {
                name: session.scalars(text(f"SELECT t::text FROM billing.{name} t ORDER BY 1")).all() for name in tables
            }

    def settle(self) -> None:
        """Let workers and upkeep do what waits."""
        self.acme.settle()
        upkeep.close_gone_work(self.acme.parts)

    def held_subscription(self, *codes: str) -> None:
        """Subscriptions that can't be billed, each on hold with its work item."""
        for code in codes:
            self.acme.customer(f"of-{code}")
            self.acme.subscribe(f"of-{code}", code)
        self.execute(
            "UPDATE billing.subscription SET timezone = 'Nowhere/Town' WHERE code = ANY(:codes)", codes=[*codes]
        )
        self.acme.settle()

    def mend(self) -> None:
        """Mend what was wrong with them."""
        self.execute("UPDATE billing.subscription SET timezone = 'UTC' WHERE timezone = 'Nowhere/Town'")


@contextmanager
def office_of(database_url: str, broker_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """An office whose console finds the company by the environment alone."""
    with company(database_url) as acme:
        settings = acme.parts.settings
        assert settings.stripe_webhook_secret is not None
        assert settings.billing_secret_key is not None
        for name, value in {
            "DATABASE_URL": database_url,
            "BROKER_URL": broker_url,
            "STRIPE_API_KEY": settings.stripe_keys["default"],
            "STRIPE_API_BASE": str(settings.stripe_api_base),
            "STRIPE_WEBHOOK_SECRET": settings.stripe_webhook_secret.get_secret_value(),
            "BILLING_SECRET_KEY": settings.billing_secret_key.get_secret_value(),
            "BILLING_SANDBOX": "1",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(folder)
        wiring.current.cache_clear()
        yield Office(acme, broker_url)
        if wiring.current.cache_info().currsize:
            wiring.current().sessions.kw["bind"].dispose()
        wiring.current.cache_clear()
