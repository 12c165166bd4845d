"""Windows tile the time that is read, whatever lies in it and whoever is interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from billing.flows.windows import Pace, walk

START = datetime(2026, 1, 1, tzinfo=UTC)
PACE = Pace(timedelta(hours=1), timedelta(minutes=1), timedelta(days=7), few=3, many=6)
_PAGE = 2
_AN_HOUR_OF_ONE_MINUTE = [600] * 50

moments = st.lists(st.one_of(st.integers(0, 86_400), st.integers(0, 600)), max_size=40)
"""Seconds from the start at which something was created: over a day, or much of it within minutes."""


@example(created=_AN_HOUR_OF_ONE_MINUTE, seconds=86_400, budget_s=0)
@given(created=moments, seconds=st.integers(1, 3 * 86_400), budget_s=st.sampled_from([None, 0]))
def test_all_that_was_created_is_taken_in_one_whole_window_and_none_that_could_be_narrower_is_full(
    created: list[int], seconds: int, budget_s: float | None
) -> None:
    end = START + timedelta(seconds=seconds)
    within = [at for second in created if (at := START + timedelta(seconds=second)) < end]
    windows, kept = list[tuple[datetime, datetime]](), list[datetime]()
    taken = list[datetime]()

    def take(reached: datetime, until: datetime) -> Iterator[int]:
        taken.clear()
        listed = sorted(at for at in within if reached <= at < until)
        for first in range(0, len(listed), _PAGE):
            page = listed[first : first + _PAGE]
            taken.extend(page)
            yield len(page)

    def whole(reached: datetime, until: datetime) -> None:
        windows.append((reached, until))
        kept.extend(taken)

    reached = START
    while reached < end:
        before, reached = reached, walk(reached, end, pace=PACE, take=take, whole=whole, budget_s=budget_s)
        assert reached > before, "however little time there is, a window is read"
    assert [START, *(until for _, until in windows)] == [*(reached for reached, _ in windows), end]
    assert sorted(kept) == sorted(within)
    for reached, until in windows:
        assert until - reached <= PACE.narrow or sum(reached <= at < until for at in within) < PACE.many + _PAGE


def test_nothing_is_read_of_no_time() -> None:
    def never(_reached: datetime, _until: datetime) -> Iterator[int]:
        raise AssertionError

    assert walk(START, START, pace=PACE, take=never, whole=lambda *_: None) == START
