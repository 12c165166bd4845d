"""Card networks' limits: so many tries of a card in so much time, and the moment at which one more is allowed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from billing.rules.card_limit import LONGEST, MOST, UNANSWERED, Sent, allowed_from, limits_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def tries(*ages: timedelta, answered: bool = True) -> list[Sent]:
    return [Sent(NOW - age, answered) for age in ages]


@pytest.mark.parametrize(
    ("brand", "spacing", "number", "free"),
    [
        # Visa: 15 in 30 days.
        ("visa", DAY, 14, None),
        ("visa", DAY, 15, NOW - 15 * DAY + 30 * DAY),
        ("visa", DAY, 20, NOW - 15 * DAY + 30 * DAY),
        ("visa", 2 * DAY, 15, None),
        # Mastercard: 10 in 24 hours and 35 in 30 days.
        ("mastercard", DAY, 29, None),
        ("mastercard", timedelta(hours=2), 9, None),
        ("mastercard", timedelta(hours=2), 10, NOW - timedelta(hours=20) + DAY),
        ("mastercard", timedelta(hours=18), 35, NOW - 35 * timedelta(hours=18) + 30 * DAY),
        ("mastercard", timedelta(hours=18), 34, None),
        # Without a published number: as Visa.
        ("amex", DAY, 15, NOW + 15 * DAY),
        (None, DAY, 15, NOW + 15 * DAY),
    ],
)
def test_one_more_try_is_allowed_when_the_oldest_that_counts_has_left(
    brand: str | None, spacing: timedelta, number: int, free: datetime | None
) -> None:
    assert allowed_from(brand, tries(*(spacing * (n + 1) for n in range(number))), now=NOW) == free


def test_of_two_limits_that_are_reached_the_one_that_frees_later_decides() -> None:
    today, month = tries(*(timedelta(hours=n + 1) for n in range(10))), tries(*(DAY * (n + 5) for n in range(25)))
    assert allowed_from("mastercard", today, now=NOW) == NOW - timedelta(hours=10) + DAY
    assert allowed_from("mastercard", [*today, *month], now=NOW) == NOW + DAY


def test_at_that_very_moment_it_is_allowed() -> None:
    sent = tries(*(DAY * (n + 1) for n in range(15)))
    free = allowed_from("visa", sent, now=NOW)
    assert free is not None
    assert allowed_from("visa", sent, now=free) is None
    assert allowed_from("visa", sent, now=free - timedelta(seconds=1)) == free


def test_tries_without_an_answer_hold_back_only_until_it_should_be_there() -> None:
    sent = tries(*(DAY * (n + 1) for n in range(14))) + tries(timedelta(0), answered=False)
    assert allowed_from("visa", sent, now=NOW) == NOW + UNANSWERED


def test_no_network_looks_further_back_or_at_more_tries_than_are_read() -> None:
    limits = [limit for brand in ("visa", "mastercard", "amex") for limit in limits_of(brand)]
    assert max(limit.within for limit in limits) == LONGEST
    assert max(limit.most for limit in limits) == MOST
