"""What people type into forms is read exactly, or refused at once, however large it is said to be."""

from __future__ import annotations

import pytest

from billing.kernel.errors import Refused
from billing.views.console.acting.reading import minor


@pytest.mark.parametrize(
    ("text", "currency", "read"),
    [
        ("12.34", "eur", 1234),
        (" 0.01 ", "eur", 1),
        ("4.5", "eur", 450),
        ("450", "eur", 45000),
        ("1,234.50", "eur", 123450),
        ("1,234,567", "eur", 123456700),
        ("450", "jpy", 450),
        ("1,234", "jpy", 1234),
        ("4.5", "bhd", 4500),
        ("1,234.500", "bhd", 1234500),
    ],
)
def test_an_amount_in_main_units_is_read_in_minor_ones(text: str, currency: str, read: int) -> None:
    assert minor(text, currency) == read


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("4,50", "eur"),  # a comma that separates the cents had made 450.00 of it
        ("1.234", "eur"),
        ("1.000", "eur"),
        ("1.234,50", "eur"),
        ("1,23,456", "eur"),
        ("1234,567", "eur"),
        ("0,123", "eur"),
        ("1 234.50", "eur"),
        ("4.", "eur"),
        (".50", "eur"),
        ("4.50 EUR", "eur"),
        ("٤", "eur"),
        ("1.234", "jpy"),
        ("4.0", "jpy"),
        ("1,234", "bhd"),  # 1.234 to who writes a comma for the point, 1234 to others
        ("4.5000", "bhd"),
        *((text, "eur") for text in ("", "x", "-1", "+1", "1e3", "9e999997", "9" * 100, "NaN", "Infinity")),
    ],
)
def test_what_can_be_read_two_ways_or_none_is_refused(text: str, currency: str) -> None:
    with pytest.raises(Refused) as caught:
        minor(text, currency)
    assert (caught.value.code, caught.value.faults[0].field) == ("amount_unreadable", "amount")


@pytest.mark.parametrize("text", ["0", "0.00", "90071992547409.92", "9" * 20])
def test_an_amount_is_above_nothing_and_one_that_a_document_can_have(text: str) -> None:
    with pytest.raises(Refused) as caught:
        minor(text, "eur")
    assert caught.value.code == "amount_out_of_range"


@pytest.mark.parametrize(
    ("currency", "mend"),
    [
        ("eur", "write 4.50 or 1,234.50 (EUR); the point separates the cents, commas only thousands"),
        ("jpy", "write 450 or 1,234; JPY has no decimals, commas separate thousands"),
        ("bhd", "write 4.500 or 1,234.500 (BHD); the point separates three decimals, commas only thousands"),
    ],
)
def test_the_refusal_says_how_to_write_it_in_that_currency(currency: str, mend: str) -> None:
    with pytest.raises(Refused) as caught:
        minor("4,50", currency)
    assert caught.value.faults[0].mend == mend
