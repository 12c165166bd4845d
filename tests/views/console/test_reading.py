"""What people type into forms is read exactly, or refused at once, however large it is said to be."""

from __future__ import annotations

import pytest

from billing.kernel.errors import Refused
from billing.views.console.acting.reading import minor


@pytest.mark.parametrize(("text", "read"), [("12.34", 1234), ("1,234.50", 123450), (" 0.01 ", 1), ("1e3", 100000)])
def test_an_amount_in_main_units_is_read_in_minor_ones(text: str, read: int) -> None:
    assert minor(text, "eur") == read


@pytest.mark.parametrize(
    "text",
    ["", "x", "0", "-1", "0.001", "1e14", "9e999999", "9e999997", "1e-999999", "NaN", "sNaN", "Infinity", "1e9999999"],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(Refused) as caught:
        minor(text, "eur")
    assert caught.value.code == "amount_unreadable"
