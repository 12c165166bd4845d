"""Kinds of payment methods: what moves the money, and through which provider's field the customer gives it.

A wallet on a phone (Apple Pay, Google Pay) is a card: its kind is `card`, and its `wallet` says which.
"""

from __future__ import annotations

from enum import StrEnum


class MethodKind(StrEnum):
    """The kinds that may be set up. A method that was made elsewhere may be of another, by the provider's name."""

    CARD = "card"
    SEPA_DEBIT = "sepa_debit"
    PAYPAL = "paypal"
    """The wallet at PayPal itself."""
    STRIPE_PAYPAL = "stripe_paypal"
    """The wallet at PayPal, charged by Stripe (whose name for it is `paypal`)."""


KINDS_OF: dict[str, tuple[MethodKind, ...]] = {
    "stripe": (MethodKind.CARD, MethodKind.SEPA_DEBIT, MethodKind.STRIPE_PAYPAL),
    "paypal": (MethodKind.PAYPAL,),
}
"""What each provider can set up; the first is meant where nobody says."""

CHOOSABLE = KINDS_OF["stripe"]
"""Of these a seller says which it offers; a provider of one kind is offered by being set up."""

PURSES = frozenset({MethodKind.PAYPAL, MethodKind.STRIPE_PAYPAL})
"""Customers know them as PayPal, whoever charges them."""

CURRENCIES: dict[str, frozenset[str]] = {
    MethodKind.SEPA_DEBIT: frozenset({"eur"}),
    MethodKind.STRIPE_PAYPAL: frozenset("eur gbp usd chf czk dkk nok pln sek aud cad hkd nzd sgd".split()),
}
"""No other currency can be collected by these (docs.stripe.com/payments/paypal and /sepa-debit)."""


def takes(kind: str, currency: str) -> bool:
    """Whether a method of this kind can bring this currency (ISO 4217, lower case)."""
    return kind not in CURRENCIES or currency in CURRENCIES[kind]
