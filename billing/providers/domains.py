"""Domains of our pages as a provider knows them: its form may offer wallets on registered ones alone."""

from __future__ import annotations

from dataclasses import dataclass

from billing.kernel.errors import ProviderRefused


@dataclass(frozen=True, slots=True)
class DomainFacts:
    """A registered domain: the wallets that may be offered there are `ready`, others `waiting`."""

    domain_ref: str
    name: str
    enabled: bool
    ready: tuple[str, ...]
    waiting: tuple[str, ...]


class NoDomains:
    """A provider whose payers agree at its own pages, so that none of ours has to be known to it."""

    name: str

    def register_domain(self, *_: object, **__: object) -> DomainFacts:
        """Nothing to register, and nothing to read."""
        raise ProviderRefused(f"{self.name}: there are no domains", code="not_supported")

    read_domain = register_domain
