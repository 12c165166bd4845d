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


KINDS_OF: dict[str, tuple[MethodKind, ...]] = {
    "stripe": (MethodKind.CARD, MethodKind.SEPA_DEBIT),
    "paypal": (MethodKind.PAYPAL,),
}
"""What each provider can set up; the first is meant where nobody says."""

CHOOSABLE = KINDS_OF["stripe"]
"""Of these a seller says which it offers; a provider of one kind is offered by being set up."""

EURO_ONLY = frozenset({MethodKind.SEPA_DEBIT})
"""No other currency can be collected by these."""


def takes(kind: str, currency: str) -> bool:
    """Whether a method of this kind can bring this currency (ISO 4217, lower case)."""
    return kind not in EURO_ONLY or currency == "eur"
