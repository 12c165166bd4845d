"""The watch: what is quiet is asked, what answers nothing three times is deaf, and nobody else is."""

from __future__ import annotations

import pytest

from billing.rules.watch import MOST_PINGS, Sight, Watch


@pytest.fixture
def watch() -> Watch:
    return Watch(quiet_s=60, answer_s=15, step_s=10, heard_at=0)


def _pass(watch: Watch, *, until: float, busy: bool = False, taken: bool = True) -> list[tuple[float, Sight]]:
    """Look every step; what was seen but `WELL`. `taken`: the broker takes what is sent."""
    seen = []
    now = watch.looked_at or 0.0
    while now < until:
        now += watch.step_s
        sight = watch.look(now, busy=busy)
        if sight is Sight.ASK and taken:
            watch.ask(now)
        if sight is not Sight.WELL:
            seen.append((now, sight))
    return seen


def test_a_worker_that_answers_nothing_three_times_is_deaf(watch: Watch) -> None:
    seen = _pass(watch, until=130)
    assert seen == [(70, Sight.ASK), (90, Sight.ASK), (110, Sight.ASK), (130, Sight.DEAF)]


def test_one_answer_begins_anew(watch: Watch) -> None:
    _pass(watch, until=110)
    watch.hear(112)
    assert _pass(watch, until=170) == []
    assert _pass(watch, until=180) == [(180, Sight.ASK)]


def test_a_busy_worker_is_not_asked(watch: Watch) -> None:
    assert _pass(watch, until=7200, busy=True) == []
    assert _pass(watch, until=7260) == []


def test_while_the_broker_takes_nothing_nobody_is_deaf(watch: Watch) -> None:
    assert {sight for _, sight in _pass(watch, until=3600, taken=False)} == {Sight.ASK}


def test_who_was_frozen_is_not_called_deaf_for_it(watch: Watch) -> None:
    _pass(watch, until=110)
    assert watch.pings == MOST_PINGS
    assert watch.look(500, busy=False) is Sight.WELL
    assert _pass(watch, until=550) == []
