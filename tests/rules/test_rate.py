"""Rate: even spacing, priority by reserve, an assured part for the lowest, down on a 429 and up again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules.rate import (
    ASSURED,
    BLOCK_S,
    HEADROOM,
    LEAD_S,
    MOST_HOLD_S,
    Pace,
    Rank,
    Wait,
    begun,
    grown,
    put_back,
    slowed,
    stepped_back_s,
    take,
)

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def played(pace: Pace, *, seconds: float, wishes: Callable[[float], list[Rank]]) -> list[tuple[float, Rank]]:
    """Every ten milliseconds these ranks ask for all that they can get. Returns the moments granted, in order."""
    granted = []
    for step in range(round(seconds * 100)):
        now = step / 100
        for rank in wishes(now):
            pace = grown(pace, pace.limit_per_s, now=at(now))
            taken = take([pace], rank=rank, wanted=1000, now=at(now))
            if not isinstance(taken, Wait):
                (pace,), offsets = taken
                granted += [(now + offset, rank) for offset in offsets]
    return sorted(granted)


def busiest_second(moments: list[float]) -> int:
    return max(sum(start <= moment < start + 1.0 for moment in moments) for start in moments)


def share(granted: list[tuple[float, Rank]], rank: Rank) -> float:
    return sum(each is rank for _, each in granted) / len(granted)


def test_what_is_granted_is_evenly_spaced_and_uses_the_rate_up() -> None:
    granted = played(begun(100.0, now=NOW), seconds=10, wishes=lambda _: [Rank.CHARGES])
    moments = [moment for moment, _ in granted if moment < 10]
    assert len(moments) >= 100 * HEADROOM * 10 - 1
    assert busiest_second(moments) <= 100
    gaps = [later - sooner for sooner, later in pairwise(moments)]
    assert min(gaps[10:]) > 0.009


def test_one_grant_is_at_most_a_block() -> None:
    taken = take([begun(100.0, now=NOW)], rank=Rank.CHARGES, wanted=1000, now=NOW)
    assert not isinstance(taken, Wait)
    assert len(taken[1]) == int(100 * HEADROOM * BLOCK_S)


@given(st.lists(st.tuples(st.floats(0, 0.4), st.sampled_from(Rank), st.integers(1, 200)), max_size=80))
def test_no_second_sees_more_than_the_rate_and_what_ranks_with_a_lead_may_make_up_for(
    asked: list[tuple[float, Rank, int]],
) -> None:
    pace, moments, now = begun(50.0, now=NOW), [], 0.0
    for after_s, rank, wanted in asked:
        now += after_s
        taken = take([pace], rank=rank, wanted=wanted, now=at(now))
        if not isinstance(taken, Wait):
            (pace,), offsets = taken
            assert 1 <= len(offsets) <= wanted
            assert all(offset >= 0 for offset in offsets)
            if rank is not Rank.ON_SESSION:
                moments += [now + offset for offset in offsets]
    if moments:
        assert busiest_second(moments) <= 50 * HEADROOM + 50 * 0.05 + 2


def test_whoever_is_waited_for_goes_at_once_although_charges_take_all() -> None:
    pace = begun(100.0, now=NOW)
    while not isinstance(taken := take([pace], rank=Rank.CHARGES, wanted=1000, now=NOW), Wait):
        (pace,), _ = taken
    taken = take([pace], rank=Rank.ON_SESSION, wanted=1, now=NOW)
    assert not isinstance(taken, Wait)
    assert taken[1] == [0.0]
    assert not isinstance(take([pace], rank=Rank.RESOLVER, wanted=1, now=NOW), Wait)


@pytest.mark.parametrize("rank", [Rank.REREADS, Rank.RECONCILE])
def test_the_lowest_ranks_get_their_assured_part_and_no_more_while_charges_want_all(rank: Rank) -> None:
    granted = played(begun(100.0, now=NOW), seconds=20, wishes=lambda _: [Rank.CHARGES, rank])
    assert ASSURED * 0.6 < share(granted, rank) <= ASSURED * 1.3


def test_a_higher_rank_keeps_the_lower_ones_waiting() -> None:
    granted = played(begun(100.0, now=NOW), seconds=5, wishes=lambda _: [Rank.CHARGES, Rank.RESOLVER])
    assert share(granted, Rank.RESOLVER) > 0.85
    assert sorted(LEAD_S.values(), reverse=True) == [LEAD_S[rank] for rank in Rank]


def test_a_429_multiplies_it_down_once_in_half_a_second_and_more_where_they_go_on() -> None:
    pace = begun(100.0, now=NOW)
    once = slowed(pace, now=at(0.2), retry_after_s=None)
    assert once.rate_per_s == pytest.approx(100 * HEADROOM * 0.85)
    assert slowed(once, now=at(0.6), retry_after_s=None).rate_per_s == once.rate_per_s
    assert slowed(once, now=at(0.8), retry_after_s=None).rate_per_s == pytest.approx(100 * HEADROOM * 0.85 * 0.7)
    assert slowed(once, now=at(9.0), retry_after_s=None).rate_per_s == pytest.approx(100 * HEADROOM * 0.85 * 0.85)


def test_it_never_falls_below_a_hundredth_and_grows_back_to_the_top() -> None:
    pace = begun(100.0, now=NOW)
    for second in range(100):
        pace = slowed(pace, now=at(2 * second), retry_after_s=None)
    assert pace.rate_per_s == pytest.approx(1.0)
    back = grown(pace, 100.0, now=at(2000))
    assert back.rate_per_s == pytest.approx(100 * HEADROOM)
    assert back.ceiling_per_s is None


def test_growth_is_additive_and_slow_near_the_rate_that_met_a_429() -> None:
    pace = slowed(replace(begun(100.0, now=NOW), rate_per_s=50.0), now=NOW, retry_after_s=None)
    assert pace.rate_per_s == pytest.approx(42.5)
    assert grown(pace, 100.0, now=at(0.5)).rate_per_s == pytest.approx(44.5)
    assert grown(pace, 100.0, now=at(2.625)).rate_per_s == pytest.approx(47.0)
    in_steps = pace
    for eighth in range(1, 22):
        in_steps = grown(in_steps, 100.0, now=at(eighth / 8))
    assert in_steps.rate_per_s == pytest.approx(47.0)


def test_retry_after_holds_everybody_for_so_long_and_never_for_ever() -> None:
    pace = slowed(begun(100.0, now=NOW), now=NOW, retry_after_s=2.0)
    waiting = take([pace], rank=Rank.ON_SESSION, wanted=1, now=at(0.5))
    assert waiting == Wait(1.5, held=True)
    assert not isinstance(take([pace], rank=Rank.ON_SESSION, wanted=1, now=at(2.0)), Wait)
    longest = slowed(begun(100.0, now=NOW), now=NOW, retry_after_s=1e9)
    assert longest.held_until == at(MOST_HOLD_S)


def test_a_shorter_wish_does_not_end_a_longer_one() -> None:
    long = slowed(begun(100.0, now=NOW), now=NOW, retry_after_s=30.0)
    assert slowed(long, now=at(1), retry_after_s=2.0).held_until == at(30)
    assert slowed(long, now=at(1), retry_after_s=40.0).held_until == at(41)


def test_a_lower_limit_by_setting_holds_at_once() -> None:
    assert grown(begun(100.0, now=NOW), 25.0, now=at(1)).rate_per_s == pytest.approx(25 * HEADROOM)


def test_two_buckets_are_both_drawn_upon_and_the_slower_one_spaces() -> None:
    account, operation = begun(100.0, now=NOW), begun(25.0, now=NOW)
    taken = take([account, operation], rank=Rank.CHARGES, wanted=1000, now=NOW)
    assert not isinstance(taken, Wait)
    (account, operation), offsets = taken
    assert len(offsets) == int(25 * HEADROOM * BLOCK_S)
    assert (account.counted, operation.counted) == (len(offsets), len(offsets))
    assert account.next_at < operation.next_at


@pytest.mark.parametrize("back_s", [240.0, 86_400.0])
def test_a_clock_that_is_put_back_holds_nobody_up(back_s: float) -> None:
    """What was promised stays as far ahead as it was, so neither a pause nor the spacing of calls is lost."""
    pace = begun(50.0, now=NOW)
    taken = take([pace], rank=Rank.CHARGES, wanted=100, now=NOW)
    assert not isinstance(taken, Wait)
    ((pace,), _), then = taken, at(-back_s)
    pace = slowed(pace, now=NOW, retry_after_s=30.0)
    assert stepped_back_s(pace, now=then) == back_s
    right = put_back(pace, seconds=back_s)
    waits = [take([each], rank=Rank.CHARGES, wanted=1, now=now) for each, now in ((pace, NOW), (right, then))]
    assert waits[0] == waits[1] == Wait(30.0, held=True)
    assert grown(right, 50.0, now=then).rate_per_s == grown(pace, 50.0, now=NOW).rate_per_s


def test_a_clock_that_only_wanders_is_no_step() -> None:
    pace = begun(50.0, now=NOW)
    assert [stepped_back_s(pace, now=at(seconds)) for seconds in (-0.9, 0.0, 7.0)] == [0.0, 0.0, 0.0]
