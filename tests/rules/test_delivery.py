from __future__ import annotations

from datetime import UTC, datetime, timedelta

from billing.rules.delivery import OFF_AFTER, OFF_STREAK, is_spent, pause_s

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def test_the_last_step_repeats() -> None:
    assert [pause_s((5.0, 60.0), times) for times in (1, 2, 3, 99)] == [5.0, 60.0, 60.0, 60.0]


def test_an_endpoint_is_spent_after_long_enough_and_often_enough() -> None:
    for streak, since, spent in (
        (OFF_STREAK, OFF_AFTER, True),
        (OFF_STREAK - 1, OFF_AFTER, False),
        (OFF_STREAK, OFF_AFTER - timedelta(seconds=1), False),
    ):
        assert is_spent(streak=streak, failing_since=NOW - since, wall=NOW) is spent
