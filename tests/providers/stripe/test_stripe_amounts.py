"""Amounts to Stripe's units and back, against ISO 4217's exponents."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iso4217 import Currency

from billing.kernel.errors import Refused
from billing.kernel.money import EXPONENTS
from billing.providers.stripe.amounts import LEAST_MINOR, MAX_PROVIDER_AMOUNT, from_provider, step_minor, to_provider
from billing.sandbox.stripe.money import MINIMUMS


def supported(currency: str) -> bool:
    try:
        to_provider(0, currency)
    except Refused:
        return False
    return True


@pytest.mark.parametrize(
    ("currency", "minor", "provider"),
    [
        ("eur", 1234, 1234),
        ("jpy", 500, 500),
        ("isk", 5, 500),
        ("ugx", 5, 500),
        ("mga", 500, 5),
        ("kwd", 5120, 5120),
        ("huf", 1045, 1045),
        ("twd", 80045, 80045),
        ("eur", 0, 0),
    ],
)
def test_an_amount_is_written_as_stripes_page_says(currency: str, minor: int, provider: int) -> None:
    assert to_provider(minor, currency) == provider
    assert from_provider(provider, currency) == minor


@given(currency=st.sampled_from(sorted(filter(supported, EXPONENTS))), units=st.integers(0, 10_000_000))
def test_what_can_be_sent_comes_back_the_same(currency: str, units: int) -> None:
    minor = units * 100
    assert from_provider(to_provider(minor, currency), currency) == minor


def test_the_whole_unit_is_the_same_money_on_both_sides() -> None:
    """Stripe's own decimals, by hand, against ISO's from the library: a hundredfold charge would show here."""
    stripe_decimals = {"isk": 2, "ugx": 2, "mga": 0}
    for currency in filter(supported, EXPONENTS):
        iso = Currency(currency.upper()).exponent
        assert iso is not None
        assert to_provider(1_000 * 10**iso, currency) == 1_000 * 10 ** stripe_decimals.get(currency, iso), currency


@given(currency=st.sampled_from(sorted(filter(supported, EXPONENTS))), units=st.integers(0, 10_000_000))
def test_what_is_sent_in_whole_steps_is_always_taken(currency: str, units: int) -> None:
    step = step_minor(currency)
    assert from_provider(to_provider(units * step, currency), currency) == units * step
    if step > 1:
        with pytest.raises(Refused):
            to_provider(units * step + 1, currency)


@pytest.mark.parametrize(
    ("minor", "currency", "code"),
    [
        (5124, "kwd", "amount_not_representable"),
        (550, "mga", "amount_not_representable"),
        (100, "iqd", "currency_unsupported"),
        (100, "lyd", "currency_unsupported"),
        (100, "uyi", "currency_unsupported"),
        (100, "EUR", "unknown_currency"),
        (100, "xau", "unknown_currency"),
        (-1, "eur", "amount_out_of_range"),
        (MAX_PROVIDER_AMOUNT + 1, "eur", "amount_out_of_range"),
    ],
)
def test_what_stripe_cannot_charge_is_refused_with_a_code(minor: int, currency: str, code: str) -> None:
    with pytest.raises(Refused) as refusal:
        to_provider(minor, currency)
    assert refusal.value.code == code


def test_an_impossible_answer_is_refused_too() -> None:
    with pytest.raises(Refused):
        from_provider(550, "isk")


@pytest.mark.parametrize(
    ("minor", "currency"), [(5124, "kwd"), (5124, "iqd"), (1, "lyd"), (7, "uyi"), (550, "isk"), (5124, "mga")]
)
def test_a_stand_in_takes_any_currency_with_all_of_its_decimals(minor: int, currency: str) -> None:
    sent = to_provider(minor, currency, documented_only=False)
    assert from_provider(sent, currency, documented_only=False) == minor
    assert step_minor(currency, documented_only=False) == 1


def test_the_least_that_is_charged_is_the_least_that_the_stand_in_takes() -> None:
    taken = {currency: least for currency, least in MINIMUMS.items() if currency in EXPONENTS}
    assert {currency: from_provider(least, currency) for currency, least in taken.items()} == LEAST_MINOR
