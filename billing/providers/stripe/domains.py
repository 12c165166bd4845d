"""Registering the domain of a page with Stripe, which shows Apple by itself that it is the seller's."""

from __future__ import annotations

import stripe

from billing.providers.domains import DomainFacts
from billing.providers.reading import Raw, Unreadable, inner, optional, text
from billing.providers.stripe.facts import object_ref

_ON_PAGES = ("apple_pay", "google_pay", "link")
"""Wallets whose cards the form may take where the domain is registered."""


def find(client: stripe.StripeClient, name: str) -> DomainFacts | None:
    """The registration of this domain. Raises what the SDK raises, and `Unreadable`."""
    rows = client.v1.payment_method_domains.list({"domain_name": name}).to_dict().get("data")
    if not isinstance(rows, list):
        raise Unreadable("data")
    return next((found for found in map(domain_facts, rows) if found.name == name), None)


def register(client: stripe.StripeClient, name: str, key: str) -> DomainFacts:
    """Register it. Raises as `find` does."""
    return domain_facts(
        client.v1.payment_method_domains.create({"domain_name": name}, {"idempotency_key": key}).to_dict()
    )


def domain_facts(raw: Raw) -> DomainFacts:
    """A registered domain, and which wallets may be offered there."""
    offers = {wallet: optional(inner(raw, wallet), "status") for wallet in _ON_PAGES}
    return DomainFacts(
        domain_ref=object_ref(raw, "payment_method_domain"),
        name=text(raw, "domain_name"),
        enabled=raw.get("enabled") is True,
        ready=tuple(wallet for wallet, status in offers.items() if status == "active"),
        waiting=tuple(wallet for wallet, status in offers.items() if status == "inactive"),
    )
