"""What a flow is handed: settings, sessions, the business clock, the keys, the providers. Wiring picks them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker

from billing.db.clock import Clock
from billing.models import ProviderAccount
from billing.privacy.keyring import Keyring
from billing.providers.port import Provider
from billing.settings import Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """One process's parts. Safe to share between threads; made after a fork."""

    settings: Settings
    sessions: sessionmaker[Session]
    clock: Clock
    keyring: Keyring
    provider_for: Callable[[str, str], Provider]
    """(provider, account code) → its adapter. Raises `Refused` (`provider_not_configured`)."""

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A transaction: committed at the end, rolled back on any exception. Never open it across a provider call."""
        with self.sessions.begin() as session:
            yield session

    def provider(self, account_id: UUID) -> Provider:
        """The adapter of a provider account row."""
        with self.begin() as session:
            account = session.get_one(ProviderAccount, account_id)
            names = account.provider, account.code
        return self.provider_for(*names)
