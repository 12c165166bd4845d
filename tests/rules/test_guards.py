"""What is unusual: by a table."""

from __future__ import annotations

import pytest

from billing.rules.guards import Day, unusual_amount, unusual_day

USUAL = [Day(10, 10_000), Day(20, 20_000)]


@pytest.mark.parametrize(
    ("today", "before", "unusual"),
    [
        (Day(30, 30_000), USUAL, False),
        (Day(31, 30_000), USUAL, True),
        (Day(20, 30_001), USUAL, True),
        (Day(9, 10**9), USUAL, False),
        (Day(1000, 10**9), USUAL[:1], False),
        (Day(1000, 10**9), [], False),
        (Day(10, 0), [Day(10, 0), Day(10, 0)], False),
    ],
)
def test_a_day_is_unusual_above_so_many_times_the_average_of_its_weekday(
    today: Day, before: list[Day], *, unusual: bool
) -> None:
    assert (unusual_day(today, before, times=2, currency="eur") is not None) is unusual


def test_amounts_of_an_unusual_day_are_told_in_their_currency() -> None:
    told = unusual_day(Day(20, 30_001), USUAL, times=2, currency="eur")
    assert told == "300.01 EUR in all; on 2 such weekdays before it were 300.00 EUR together"


@pytest.mark.parametrize(
    ("amount", "last", "unusual"), [(3000, 1000, False), (3001, 1000, True), (10**9, None, False), (10**9, 0, False)]
)
def test_a_document_is_unusual_above_so_many_times_the_last(amount: int, last: int | None, *, unusual: bool) -> None:
    assert unusual_amount(amount, last, times=3) is unusual
