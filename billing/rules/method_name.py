"""What a payment method is called where a person reads of it: `Visa •••• 4242 (Apple Pay)`."""

from __future__ import annotations

from collections.abc import Mapping

_WALLETS: Mapping[str, str] = {
    "amex_express_checkout": "Amex Express Checkout",
    "apple_pay": "Apple Pay",
    "google_pay": "Google Pay",
    "link": "Link",
    "masterpass": "Masterpass",
    "meta_pay": "Meta Pay",
    "samsung_pay": "Samsung Pay",
    "visa_checkout": "Visa Checkout",
}
_BRANDS: Mapping[str, str] = {
    "amex": "American Express",
    "cartes_bancaires": "Cartes Bancaires",
    "diners": "Diners Club",
    "eftpos_au": "eftpos",
    "jcb": "JCB",
    "paypal": "PayPal",
    "sepa_debit": "IBAN",
    "stripe_paypal": "PayPal",
    "unionpay": "UnionPay",
}


_BY_WHOM: Mapping[str, str] = {"stripe_paypal": "PayPal at Stripe"}
"""Kinds in which operators need to know more than the customer's name of it."""


def wallet_name(wallet: str | None) -> str | None:
    """The wallet through which a card was given, as its maker writes it; None for a card that was typed in."""
    return None if wallet is None else _WALLETS.get(wallet, _plain(wallet))


def brand_name(brand: str | None, *, kind: str) -> str:
    """The card's brand; of a method without one, its kind."""
    name = brand or kind
    return _BRANDS.get(name, _plain(name))


def method_name(*, kind: str, brand: str | None, last4: str | None, wallet: str | None = None) -> str:
    """As an operator reads it: brand or kind, last digits where there are any, and the wallet in brackets."""
    words = [_BY_WHOM.get(kind) or brand_name(brand, kind=kind)]
    if last4:
        words.append(f"•••• {last4}")
    if wallet:
        words.append(f"({wallet_name(wallet)})")
    return " ".join(words)


def _plain(code: str) -> str:
    return code.replace("_", " ").capitalize()
