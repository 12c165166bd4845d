"""Tax in national currency: converted exactly, rounded once, and reckoned again from what is frozen."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from billing.rules.national import at_frozen_rate, fingerprint_of, national_currency, national_tax

DAY = date(2026, 1, 30)


@pytest.mark.parametrize(
    ("sold", "into", "rates", "converted", "shown"),
    [
        ((190, "usd"), "eur", {"usd": "1.0892"}, 174, "0.91810503"),
        ((1900, "eur"), "czk", {"czk": "25.105"}, 47700, "25.10500000"),
        # Through the euro, and between exponents 0 and 2.
        ((1000, "jpy"), "pln", {"jpy": "160.00", "pln": "4.2500"}, 2656, "0.02656250"),
        ((1, "kwd"), "eur", {"kwd": "0.3333"}, 0, "3.00030003"),
        ((-190, "usd"), "eur", {"usd": "1.0892"}, -174, "0.91810503"),
    ],
)
def test_tax_is_converted_exactly_and_rounded_once(
    sold: tuple[int, str], into: str, rates: dict[str, str], converted: int, shown: str
) -> None:
    tax_minor, currency = sold
    per_euro = {name: Decimal(rate) for name, rate in rates.items()}
    made = national_tax(tax_minor, currency=currency, into=into, day=DAY, per_euro=per_euro, source="ECB")
    assert (made.tax_minor, str(made.rate)) == (converted, shown)
    again = at_frozen_rate(tax_minor, currency=currency, frozen=made.as_json())
    assert again == made
    assert fingerprint_of(again.as_json()) == fingerprint_of(made.as_json())


@pytest.mark.parametrize(
    ("country", "currency"), [("DE", "eur"), ("BG", "eur"), ("PL", "pln"), ("US", None), ("GB", None)]
)
def test_art_230_means_the_currency_of_the_member_state(country: str, currency: str | None) -> None:
    assert national_currency(country) == currency
