"""The account, customers and their payment methods."""

from __future__ import annotations

from collections.abc import Callable

from billing.sandbox.stripe.cards import Card
from billing.sandbox.stripe.values import Json, digest, new_id

_NO_ADDRESS: Json = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))


def _billing_details() -> Json:
    """A holder of whom nothing is known."""
    return {"address": dict(_NO_ADDRESS), "email": None, "name": None, "phone": None, "tax_id": None}


_MAY = ("card_payments", "sepa_debit_payments", "transfers")


def account(id: str, *, paypal: bool = True) -> Json:
    """The account behind a key; its business is made up."""
    return {
        "id": id,
        "object": "account",
        "business_profile": {"mcc": None, "name": "Sandbox", "support_email": None, "url": None},
        "business_type": "company",
        "capabilities": {**dict.fromkeys(_MAY, "active"), "paypal_payments": "active" if paypal else "inactive"},
        "charges_enabled": True,
        "controller": {"type": "account"},
        "country": "DE",
        "created": 1_700_000_000,
        "default_currency": "eur",
        "details_submitted": True,
        "email": None,
        "metadata": {},
        "payouts_enabled": True,
        "type": "standard",
    }


def customer(now: int, given: Json) -> Json:
    """A new customer with what the request gave."""
    id = new_id("cus")
    return {
        "id": id,
        "object": "customer",
        "address": given.get("address"),
        "balance": 0,
        "created": now,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": given.get("description"),
        "discount": None,
        "email": given.get("email"),
        "invoice_prefix": digest(id, length=8).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": given.get("invoice_settings", {}).get("default_payment_method"),
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": given.get("metadata", {}),
        "name": given.get("name"),
        "next_invoice_sequence": 1,
        "phone": given.get("phone"),
        "preferred_locales": given.get("preferred_locales", []),
        "shipping": given.get("shipping"),
        "tax_exempt": given.get("tax_exempt", "none"),
        "test_clock": None,
    }


def mandate(*, method: Json, status: str, online: bool = True) -> Json:
    """A leave to charge a method again and again. That of a bank account has a reference, which the bank shows."""
    id, given, type_ = new_id("mandate"), "online" if online else "offline", method["type"]
    reference = digest(id).upper()
    details = {}
    if type_ == "sepa_debit":
        details = {"reference": reference, "url": f"https://mandates.invalid/{id}"}
    if type_ == "paypal":
        details = {"billing_agreement_id": f"B-{reference}", "payer_id": method["paypal"]["payer_id"]}
    return {
        "id": id,
        "object": "mandate",
        "customer_acceptance": {"accepted_at": method["created"], given: None, "type": given},
        "livemode": False,
        "multi_use": {},
        "payment_method": method["id"],
        "payment_method_details": {type_: details, "type": type_},
        "status": status,
        "type": "multi_use",
    }


def _wallets_owner() -> Json:
    """A wallet gives its owner's contacts along with the card."""
    told = {"email": "wallet.owner@example.net", "name": "Wanda Walletowner", "phone": "+49 30 5550199"}
    return {**_billing_details(), **told}


def _wallet(card: Card) -> Json | None:
    """How the card came; a telephone's wallet has a number of its own for it."""
    if card.wallet is None:
        return None
    number = None if card.wallet == "link" else "7901"
    return {"type": card.wallet, card.wallet: {}, "dynamic_last4": number}


def payment_method(now: int, card: Card) -> Json:
    """A new card, bank account or wallet at PayPal that stands for a test name, attached to nobody yet."""
    return {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": _billing_details() if card.wallet is None else _wallets_owner(),
        card.type: _SHOWN[card.type](card),
        "created": now,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": card.type,
    }


def _account(account: Card) -> Json:
    return {
        "bank_code": "19043",
        "branch_code": None,
        "country": account.country,
        "fingerprint": digest(f"{account.country}{account.last4}"),
        "generated_from": {"charge": None, "setup_attempt": None},
        "last4": account.last4,
    }


def _card(card: Card) -> Json:
    return {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": card.country,
        "display_brand": card.brand,
        "exp_month": 12,
        "exp_year": 2040,
        "fingerprint": digest(f"{card.brand}{card.last4}{card.funding}"),
        "funding": card.funding,
        "generated_from": None,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": _wallet(card),
    }


def _purse(purse: Card) -> Json:
    return {"country": purse.country, "payer_email": "payer@example.net", "payer_id": digest(purse.country).upper()}


_SHOWN: dict[str, Callable[[Card], Json]] = {"card": _card, "paypal": _purse, "sepa_debit": _account}

_ON_DOMAINS = ("amazon_pay", "apple_pay", "google_pay", "klarna", "link", "paypal")


def domain(now: int, name: str, *, enabled: bool) -> Json:
    """A domain on whose pages wallets may be offered. Apple doesn't find its file on one whose name begins so."""
    offers: Json = {wallet: {"status": "active"} for wallet in _ON_DOMAINS}
    if name.startswith("unverified."):
        told = {"error_message": "The domain could not be verified with Apple Pay."}
        offers["apple_pay"] = {"status": "inactive", "status_details": told}
    return {
        "id": new_id("pmd"),
        "object": "payment_method_domain",
        "created": now,
        "domain_name": name,
        "enabled": enabled,
        "livemode": False,
        **offers,
    }
