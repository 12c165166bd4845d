"""Minor units ↔ PayPal's decimal text, both ways, by one table."""

from __future__ import annotations

import pytest

from billing.kernel.errors import Refused
from billing.providers.paypal.amounts import from_provider, step_minor, to_provider


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1050, "eur", "10.50"),
        (5, "usd", "0.05"),
        (500, "jpy", "500"),
        (70_000, "huf", "700"),
        (5_100, "twd", "51"),
        (123_456_789, "gbp", "1234567.89"),
    ],
)
def test_an_amount_is_the_same_there_and_back(minor: int, currency: str, text: str) -> None:
    assert to_provider(minor, currency) == text
    assert from_provider(text, currency) == minor
    assert minor % step_minor(currency) == 0


@pytest.mark.parametrize(
    ("minor", "currency", "code"),
    [
        (70_050, "huf", "amount_not_representable"),
        (1050, "kwd", "currency_unsupported"),
        (10**12, "eur", "amount_out_of_range"),
        (-1, "eur", "amount_out_of_range"),
    ],
)
def test_what_paypal_cannot_charge_is_refused_before_anything_is_sent(minor: int, currency: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        to_provider(minor, currency)
    assert refused.value.code == code


@pytest.mark.parametrize("text", ["10.505", "1e3", "", "10,50", "NaN", "10.5.0"])
def test_what_is_no_amount_is_never_read_as_one(text: str) -> None:
    with pytest.raises(Refused):
        from_provider(text, "eur")


def test_the_reports_signs_are_kept() -> None:
    assert from_provider("-0.65", "eur") == -65
