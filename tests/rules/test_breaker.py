"""Breaker: opened by calls without an answer, one probe when half open, closed by any answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from billing.kernel.errors import Reach
from billing.rules.breaker import TRIP, Admission, Breaker, admission, after, probing, put_back

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def told(breaker: Breaker, reach: Reach, *, at_s: float = 0.0, probe: bool = False) -> Breaker:
    return after(breaker, reach, probe=probe, now=NOW + timedelta(seconds=at_s), first_s=10.0, most_s=120.0)


def opened() -> Breaker:
    breaker = Breaker()
    for _ in range(TRIP):
        breaker = told(breaker, Reach.AWAY)
    return breaker


def test_calls_without_an_answer_open_it_in_a_row_only() -> None:
    breaker = Breaker()
    for _ in range(3):
        for _ in range(TRIP - 1):
            breaker = told(breaker, Reach.AWAY)
        assert admission(breaker, now=NOW) == Admission()
        breaker = told(breaker, Reach.ANSWERED)
        assert breaker.clean
    assert admission(opened(), now=NOW) == Admission(wait_s=10.0)


@pytest.mark.parametrize("reach", [Reach.ANSWERED, Reach.THROTTLED, Reach.THROTTLED_ENDPOINT])
def test_any_answer_closes_it_be_it_a_refusal(reach: Reach) -> None:
    assert told(opened(), reach).clean


def test_half_open_lets_one_probe_through_at_a_time() -> None:
    breaker, later = opened(), NOW + timedelta(seconds=10)
    assert admission(breaker, now=later) == Admission(probe=True)
    sent = probing(breaker, now=later, probe_s=30.0)
    assert admission(sent, now=later) == Admission(wait_s=30.0)
    # Its worker died: another may go.
    assert admission(sent, now=later + timedelta(seconds=30)) == Admission(probe=True)


def test_a_probe_in_vain_doubles_the_pause_up_to_the_longest() -> None:
    breaker, pauses = opened(), []
    for second in range(8):
        breaker = told(breaker, Reach.AWAY, at_s=1000.0 * second, probe=True)
        pauses.append(admission(breaker, now=NOW + timedelta(seconds=1000.0 * second)).wait_s)
    assert pauses == [20.0, 40.0, 80.0, 120.0, 120.0, 120.0, 120.0, 120.0]


def test_late_failures_of_calls_sent_before_it_opened_do_not_prolong_it() -> None:
    breaker = told(opened(), Reach.AWAY, at_s=5.0)
    assert admission(breaker, now=NOW) == Admission(wait_s=10.0)


def test_under_a_clock_that_is_put_back_what_is_left_of_a_pause_is_left_of_it() -> None:
    day = timedelta(days=1)
    assert admission(put_back(opened(), seconds=day.total_seconds()), now=NOW - day) == Admission(wait_s=10.0)
    assert put_back(Breaker(), seconds=1.0).clean
