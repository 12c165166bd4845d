"""Our kinds of payment methods and Stripe's types. Most bear one name; a type without a kind of ours keeps its own."""

from __future__ import annotations

from typing import Final

TYPES: Final = {"card": "card", "sepa_debit": "sepa_debit", "stripe_paypal": "paypal"}
"""Kind → type, of all that may be set up and charged."""

_KINDS = {type_: kind for kind, type_ in TYPES.items()}


def type_of(kind: str | None) -> str:
    """Stripe's name of it; a card where an attempt names none."""
    return TYPES.get(kind or "card", kind or "card")


def kind_of(type_: str) -> str:
    """Our name of what Stripe calls so."""
    return _KINDS.get(type_, type_)
