"""A process's parts over a real database and a real stand-in, put together as wiring does it, minus the broker."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from billing.flows.parts import Parts
from billing.flows.start import start
from billing.models import ProviderAccount, SandboxClock
from billing.privacy.keyring import generate
from billing.queue.buffer import Message
from billing.sandbox.stripe.server import Server, serving
from billing.sandbox.stripe.store import MEMORY, Store
from billing.settings import Settings
from billing.settings.given import GivenSettings
from billing.wiring import build


@dataclass
class Noted:
    """A transport that only notes what would be sent."""

    messages: list[Message] = field(default_factory=list)

    def send(self, messages: list[Message]) -> None:
        self.messages += messages


@dataclass(frozen=True)
class Stack:
    """Parts, the stand-in that they talk to, and the messages that they sent."""

    parts: Parts
    server: Server
    noted: Noted
    account_id: UUID
    """The pinned provider account."""


@contextmanager
def stack(database_url: str, *, now: datetime) -> Iterator[Stack]:
    """Parts whose business clock stands at `now`, with the provider account pinned."""
    with serving(Store(MEMORY)) as server:
        noted = Noted()
        parts = build(settings_for(database_url, server.url), transport=noted)
        try:
            with parts.begin() as session:
                session.add(SandboxClock(one=1, instant=now))
            start(parts)
            with parts.begin() as session:
                account = session.scalars(select(ProviderAccount)).one()
            yield Stack(parts, server, noted, account.id)
        finally:
            parts.sessions.kw["bind"].dispose()


def settings_for(database_url: str, stripe_url: str) -> Settings:
    """Sandbox settings with keys of their own, whatever the environment says."""
    return GivenSettings(
        database_url=database_url,
        stripe_api_key="sk_test_" + secrets.token_hex(12),
        stripe_api_base=stripe_url,
        billing_secret_key=generate(),
        billing_sandbox=True,
    )
