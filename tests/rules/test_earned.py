"""What of a line is earned by a day: in equal parts, rounded as a whole, and all of it in the end."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules.earned import earned

JUNE = date(2026, 6, 1)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("ends_on", "through", "amount"),
    [
        (date(2026, 7, 1), JUNE, 33),
        (date(2026, 7, 1), date(2026, 6, 15), 500),
        (date(2026, 7, 1), date(2026, 6, 30), 1000),
        (date(2026, 7, 1), date(2026, 8, 31), 1000),
        (date(2026, 7, 1), date(2026, 5, 31), 0),
        (JUNE, JUNE, 1000),
        (date(2026, 6, 17), JUNE, 63),
    ],
)
def test_it_grows_day_by_day(ends_on: date, through: date, amount: int) -> None:
    """The last one: half of a unit is rounded away from zero."""
    assert earned(total_minor=1000, base_on=JUNE, ends_on=ends_on, through=through) == amount
    assert earned(total_minor=-1000, base_on=JUNE, ends_on=ends_on, through=through) == -amount


def test_what_was_earned_before_is_not_spread_again() -> None:
    given_before = {"total_minor": 1000, "base_minor": 400, "base_on": JUNE, "ends_on": date(2026, 7, 1)}
    assert earned(**given_before, through=date(2026, 5, 31)) == 400
    assert earned(**given_before, through=date(2026, 6, 15)) == 700
    assert earned(**given_before, through=date(2026, 5, 20)) == 400, "nor less of it on a day before"


def test_a_line_that_was_cut_to_what_is_recognised_of_it_is_whole_the_day_before() -> None:
    cut = {"total_minor": 1000, "base_minor": 400, "base_on": JUNE, "ends_on": JUNE}
    assert earned(**cut, through=date(2026, 5, 31)) == 1000


@given(total=st.integers(0, 10**12), days=st.integers(1, 800), gone=st.integers(0, 800))
def test_it_never_falls_and_never_exceeds_the_whole(total: int, days: int, gone: int) -> None:
    parts = [
        earned(total_minor=total, base_on=JUNE, ends_on=JUNE + days * DAY, through=JUNE + (gone + more) * DAY)
        for more in (0, 1)
    ]
    assert 0 <= parts[0] <= parts[1] <= total
