"""What a flow is handed: settings, sessions, the business clock, the keys, the providers. Wiring picks them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker

from billing.commands.provider_rate.rows import Limits
from billing.db.clock import Clock
from billing.db.session import for_seller, quickest_wins
from billing.flows.metered import Metered
from billing.flows.permits import Permits
from billing.models import ProviderAccount
from billing.privacy.keyring import Keyring
from billing.privacy.tracing import step
from billing.providers.port import Provider
from billing.queue.buffer import Transport
from billing.registers.rates import Rates
from billing.registers.vat import VatRegister
from billing.rules.rate import Rank
from billing.settings import Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """One process's parts. Safe to share between threads; made after a fork."""

    settings: Settings
    sessions: sessionmaker[Session]
    clock: Clock
    keyring: Keyring
    provider_for: Callable[[str, str], Provider]
    """(provider, account code) → its adapter, unmetered. Raises `Refused` (`provider_not_configured`)."""
    transport: Transport | None = None
    """To the broker, for what must not be lost; nudges go by `queue.buffer.after_commit`."""
    rates: Rates | None = None
    """Who publishes exchange rates; None where none are read."""
    vat_register: VatRegister | None = None
    """Who says whether a VAT number is registered; None where nobody is asked."""
    unwalled: Parts | None = None
    """Of parts that act for one seller: those that act for all, for what is no seller's, such as permits."""
    permits: dict[UUID, Permits] = field(default_factory=dict)
    """By provider account: this process's share of the calls that it may be sent."""

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A transaction: committed at the end, rolled back on any exception. Never open it across a provider call.

        Raises `Stale` where a row that it changes was changed by another since it was read.
        """
        with quickest_wins(), step("transaction"), self.sessions.begin() as session:
            yield session

    def for_seller(self, seller_id: UUID) -> Parts:
        """The same, seeing and writing rows of this seller alone: for doors that act for one."""
        return replace(self, sessions=for_seller(self.sessions, seller_id), unwalled=self)

    @property
    def for_all(self) -> Parts:
        """Those that act for all sellers, for what a sweep would do just so."""
        return self.unwalled or self

    def provider(self, account_id: UUID, *, rank: Rank = Rank.RECONCILE, session: Session | None = None) -> Metered:
        """The adapter of a provider account row, for calls of this rank: the only way to one that sends requests.

        Whoever says no rank gives way to all. `session`: a transaction of the caller's, for what the adapter knows
        without a call; an account that is new to this process is read in it, not by a second connection.
        """
        if self.unwalled is not None:
            return self.unwalled.provider(account_id, rank=rank, session=session)
        permits = self.permits.get(account_id) or self._meet(account_id, session)
        return Metered(self.provider_for(*permits.names), permits, rank)

    def _meet(self, account_id: UUID, session: Session | None) -> Permits:
        with self.begin() if session is None else nullcontext(session) as reading:
            account = reading.get_one(ProviderAccount, account_id)
            names, livemode = (account.provider, account.code), account.livemode
        each_operation = self.settings.endpoint_calls_per_s if names[0] == "stripe" else None
        limits = Limits(self.settings.calls_per_s(provider=names[0], livemode=livemode), each_operation)
        met = Permits(account_id, names, limits, self.settings, self.begin)
        return self.permits.setdefault(account_id, met)
