"""What a payment method needs before the provider hears of it: a consent that we can show later."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from billing.validators.checks import Checks

PROVIDERS = ("stripe", "paypal")
CHANNELS = ("web", "app", "phone", "paper", "import")
_REF = re.compile(r"[A-Za-z0-9_-]{3,255}", re.ASCII)
_EXCHANGED = re.compile(r"pm_[a-z]+_\w+|B-.+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Consent:
    """That the customer agreed to later charges: to which text, when (aware), and where."""

    text_version: str
    given_at: datetime
    channel: str = "web"


def check_consent(consent: Consent, *, now: datetime) -> None:
    """Raise `Refused` with every fault of `consent`. `now` is business time: a consent can't be of the future."""
    checks = Checks()
    checks.code("consent_text_version", consent.text_version)
    checks.one_of("consent_channel", consent.channel, CHANNELS)
    checks.instant("consent_at", consent.given_at)
    if consent.given_at.tzinfo is not None and consent.given_at > now:
        checks.fault("consent_at", "consent_in_future", "give the time at which the customer agreed")
    checks.done()


def check_method_ref(method_ref: str, *, field: str = "method_ref") -> None:
    """Raise `Refused` unless `method_ref` has the shape of a provider's id. A card number has not.

    `field`: what it is called where it was given.
    """
    checks = Checks()
    if not _REF.fullmatch(method_ref) or method_ref.isdigit():
        checks.fault(field, "not_a_method_id", "give the provider's id, such as pm_card_visa")
    checks.done()


def is_exchanged(method_ref: str) -> bool:
    """Whether the provider gives the method another id: for PayPal's agreements, and Stripe's names for tests."""
    return _EXCHANGED.fullmatch(method_ref) is not None


def check_customer_ref(customer_ref: str) -> None:
    """Raise `Refused` unless `customer_ref` has the shape of a provider's id. It is kept in the clear, and sent."""
    checks = Checks()
    if not _REF.fullmatch(customer_ref) or customer_ref.isdigit():
        checks.fault("provider_customer_id", "not_a_customer_id", "give the provider's id, such as cus_NffrFeUfNV2Hib")
    checks.done()
