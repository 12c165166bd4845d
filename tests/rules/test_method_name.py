"""How a payment method is named to people."""

from __future__ import annotations

import pytest

from billing.rules.method_name import brand_name, method_name, wallet_name


@pytest.mark.parametrize(
    ("kind", "brand", "last4", "wallet", "name"),
    [
        ("card", "visa", "4242", None, "Visa •••• 4242"),
        ("card", "visa", "4242", "apple_pay", "Visa •••• 4242 (Apple Pay)"),
        ("card", "amex", "0005", "google_pay", "American Express •••• 0005 (Google Pay)"),
        ("card", "visa", "4242", "wallet_of_tomorrow", "Visa •••• 4242 (Wallet of tomorrow)"),
        ("card", None, None, None, "Card"),
        ("paypal", "paypal", None, None, "PayPal"),
        ("paypal", None, None, None, "PayPal"),
        ("stripe_paypal", None, None, None, "PayPal at Stripe"),
    ],
)
def test_a_method_is_named_by_brand_digits_and_wallet(
    kind: str, brand: str | None, last4: str | None, wallet: str | None, name: str
) -> None:
    assert method_name(kind=kind, brand=brand, last4=last4, wallet=wallet) == name


def test_a_card_that_was_typed_in_has_no_wallet() -> None:
    assert wallet_name(None) is None


def test_customers_know_paypal_by_its_name_whoever_charges_it() -> None:
    assert brand_name(None, kind="stripe_paypal") == brand_name("paypal", kind="paypal") == "PayPal"
