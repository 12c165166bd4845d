"""The domain of the customer's page, registered with a provider whose form offers wallets on registered ones alone."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit
from uuid import NAMESPACE_DNS, uuid5

from billing.flows.metered import Metered
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.providers.domains import DomainFacts
from billing.queries.payment_method import the_provider_account
from billing.rules.rate import Rank

FORM = "stripe"
"""The provider whose form stands on our page."""


def page_domain(parts: Parts) -> str | None:
    """The host of `BILLING_PUBLIC_URL`; None where it is unset or no name that the world knows."""
    host = urlsplit(parts.settings.billing_public_url or "").hostname
    if host is None or "." not in host:
        return None
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host
    return None


def registered(parts: Parts, *, code: str) -> DomainFacts | None:
    """How the page's domain stands at that account; None where it is not registered.

    Raises `Refused` (`public_url_without_domain`, `provider_account_not_found`), and the provider's errors.
    """
    name = _required(parts)
    return _provider(parts, code).read_domain(name)


def register(parts: Parts, *, code: str) -> DomainFacts:
    """Register the page's domain at that account; a repeat changes nothing. Raises as `registered` does."""
    name, provider = _required(parts), _provider(parts, code)
    found = provider.read_domain(name)
    return found or provider.register_domain(name, key=f"domain-{uuid5(NAMESPACE_DNS, name)}")


def _provider(parts: Parts, code: str) -> Metered:
    with parts.begin() as session:
        account_id = the_provider_account(session, provider=FORM, code=code).id
    return parts.provider(account_id, rank=Rank.ON_SESSION)


def _required(parts: Parts) -> str:
    name = page_domain(parts)
    if name is None:
        mend = "set BILLING_PUBLIC_URL to where customers reach the page, such as https://pay.example.com"
        raise Refused(Fault("BILLING_PUBLIC_URL", "public_url_without_domain", mend))
    return name
