"""What tests of restored databases share: a backup that can be put back, the brakes that are on, healing."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import psycopg
from psycopg import sql
from sqlalchemy import make_url, select

from billing.flows import backfill, healing, inbox
from billing.flows.order import Order
from billing.models import Brake
from billing.sandbox.embedded.binaries import binaries_for
from billing.sandbox.embedded.folders import server_account
from tests import shelf
from tests.flows.company import START, Company

WHY = Order(actor="ada", reason="all looks fine to me")
MEANWHILE = START + timedelta(days=3)
"""When what the copy doesn't know was billed."""
AFTERWARDS = START + timedelta(days=4)
"""When the copy was put back."""


@dataclass(frozen=True)
class Backup:
    """A copy of a company's database, taken at one moment, that can be put back in its place."""

    acme: Company
    server: psycopg.Connection[tuple[object, ...]]
    name: str
    address: str

    def take(self) -> None:
        """Once no delivery is under way: nobody may be at a database that is copied."""
        self.acme.wait_for(lambda: self.acme.witness.state().quiet)
        self._run("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", f"{self.name}_backup", self.name)

    def restore(self) -> None:
        """The rows are those of the backup; the provider, and whatever waits in the line, know nothing of it."""
        self._run("DROP DATABASE {} WITH (FORCE)", self.name)
        self._run("ALTER DATABASE {} RENAME TO {}", f"{self.name}_backup", self.name)

    def dump(self, file: Path) -> None:
        """The other way: a dump, as a nightly job writes it."""
        self._program("pg_dump", "--format=custom", f"--file={file}", self.address)

    def put_back(self, file: Path) -> None:
        """Over the tables as they are, in the same database of the same server, which goes on all the while."""
        self.acme.parts.sessions.kw["bind"].dispose()
        self._program("pg_restore", "--clean", "--if-exists", f"--dbname={self.address}", str(file))

    def _program(self, name: str, *arguments: str) -> None:
        program = binaries_for(server_account()).postgres / name
        subprocess.run([str(program), *arguments], check=True, capture_output=True)

    def _run(self, statement: str, *names: str) -> None:
        self.acme.parts.sessions.kw["bind"].dispose()
        shelf.close(self.name)
        self.server.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@contextmanager
def backup_of(acme: Company) -> Iterator[Backup]:
    address = make_url(str(acme.parts.settings.database_url))
    name = str(address.database)
    plain = address.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as server:
        try:
            yield Backup(acme, server, name, address.set(drivername="postgresql").render_as_string(hide_password=False))
        finally:
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(f"{name}_backup")))


def brakes(acme: Company) -> list[tuple[str, UUID | None]]:
    with acme.begin() as session:
        rows = session.scalars(select(Brake).where(Brake.released_at.is_(None)).order_by(Brake.kind))
        return [(row.kind, row.profile_id) for row in rows]


def healed(acme: Company) -> bool:
    """One more round of the tick, which a slow answer may have put off."""
    healing.tick(acme.parts)
    return brakes(acme) == []


def heal(acme: Company, *, at: datetime) -> None:
    """All that heals a database that was put back, from this moment on, to the end."""
    acme.set_clock(at)
    acme.settle_under_a_brake()
    healing.tick(acme.parts)
    acme.wait_for(lambda: healed(acme), seconds=20)
    backfill.backfill(acme.parts)
    acme.settle_under_a_brake()


def every_event_comes_again(acme: Company) -> None:
    """All that the provider ever told, and what is done with it."""
    for event in acme.witness.events():
        acme.witness.call("POST", f"events/{event.event_ref}/resend")
    acme.wait_for(lambda: acme.witness.state().undelivered_webhooks == 0)
    inbox.sweep(acme.parts)
    acme.run_messages()
