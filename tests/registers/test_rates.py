"""The ECB's files: read as they are published; what is no such file gives no rate."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from billing.kernel.errors import Unavailable
from billing.registers.rates import Rate, parsed
from billing.sandbox.registers import Registers


def test_each_day_and_currency_is_read_exactly() -> None:
    bank = Registers(rates={"2026-01-30": {"USD": "1.0892", "ISK": "143.50"}, "2026-01-29": {"USD": "1.09"}})
    assert parsed(bank.published(history=True).encode()) == [
        Rate(date(2026, 1, 30), "usd", Decimal("1.0892")),
        Rate(date(2026, 1, 30), "isk", Decimal("143.50")),
        Rate(date(2026, 1, 29), "usd", Decimal("1.09")),
    ]


@pytest.mark.parametrize("body", ["", "<html>busy</html>"])
def test_what_is_no_file_of_rates_is_no_rate(body: str) -> None:
    with pytest.raises(Unavailable):
        parsed(body.encode())


@pytest.mark.parametrize(
    ("currency", "rate"),
    [
        ("USD", "0"),
        ("USD", "-1"),
        ("USD", "NaN"),
        ("USD", "1E+999999"),
        ("USD", "1e-999999"),
        ("US$", "1"),
        ("EURO", "1"),
    ],
)
def test_what_no_table_holds_is_no_rate(currency: str, rate: str) -> None:
    body = Registers(rates={"2026-01-30": {"GBP": "0.9", currency: rate}}).published(history=True)
    with pytest.raises(Unavailable):
        parsed(body.encode())
