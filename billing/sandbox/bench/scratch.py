"""A database of its own for one measurement, and parts that bill in this process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from billing.commands.slice.cut import cut
from billing.db.migrate import upgrade
from billing.flows import renewal
from billing.flows.parts import Parts
from billing.privacy.keyring import Keyring, generate
from billing.queue.buffer import Message
from billing.sandbox.bench.counting import counting_statements
from billing.sandbox.embedded import Embedded
from billing.settings import Settings
from billing.wiring import build


class Nowhere:
    """A transport for what runs in this process: nobody is to be woken."""

    def send(self, messages: list[Message]) -> None:
        """Forget them."""


@dataclass(frozen=True, slots=True)
class Scratch:
    """An empty migrated database."""

    engine: Engine
    keyring: Keyring
    settings: Settings


@contextmanager
def scratch(servers: Embedded) -> Iterator[Scratch]:
    """The database `bench`, made anew."""
    admin = create_engine(servers.database_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS bench WITH (FORCE)"))
        connection.execute(text("CREATE DATABASE bench"))
    url = admin.url.set(database="bench").render_as_string(hide_password=False)
    upgrade(url)
    with opened(url, servers.broker_url) as made:
        yield made


@contextmanager
def opened(database_url: str, broker_url: str | None = None) -> Iterator[Scratch]:
    """The same of a database that is there."""
    secret = generate()
    engine = create_engine(database_url)
    settings = Settings(
        database_url=database_url,
        broker_url=broker_url,
        billing_secret_key=SecretStr(secret),
        billing_sandbox=True,
        billing_plan_limit=1_000_000,
    )
    try:
        yield Scratch(engine, Keyring.from_setting(secret), settings)
    finally:
        engine.dispose()


@contextmanager
def parts_of(made: Scratch) -> Iterator[Parts]:
    """Real parts over it, that wake nobody."""
    parts = build(made.settings, transport=Nowhere())
    try:
        yield parts
    finally:
        engine_of(parts).dispose()


def engine_of(parts: Parts) -> Engine:
    """The engine behind the parts' sessions."""
    engine: Engine = parts.sessions.kw["bind"]
    return engine


def cut_slices(parts: Parts, engine: Engine, *, first: int, most: int, size: int) -> list[UUID]:
    """Cut `most` profiles, from the `first` one seeded on, into slices."""
    with engine.begin() as connection:
        query = text("SELECT id FROM billing.profile ORDER BY id OFFSET :first LIMIT :most")
        members = list(connection.execute(query, {"first": first, "most": most}).scalars())
    with parts.begin() as session:
        return cut(session, kind="renewals", members=members, size=size)


def statements_of(parts: Parts, slice_id: UUID) -> int:
    """Bill the slice and say how many statements that took. The first slice of a database takes a few more."""
    with counting_statements() as sent:
        renewal.bill(parts, slice_id)
    return len(sent)


def rates_of(parts: Parts, slices: list[UUID]) -> list[float]:
    """Bill the slices in this process, one after another. Returns documents a second of each."""
    rates = []
    for slice_id in slices:
        began = time.perf_counter()
        documents = renewal.bill(parts, slice_id)
        rates.append(documents / (time.perf_counter() - began))
    return rates
