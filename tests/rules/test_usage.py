"""Usage: a record counts where it was stamped, unless that is free, closed already, or not possible."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.kernel.errors import Refused
from billing.rules.usage import Placed, UsageKind, place

START = datetime(2026, 1, 1, tzinfo=UTC)
NOWHERE = Placed(counts_at=None, late=False)
LATE = Placed(counts_at=None, late=True)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def placed(
    used: float,
    *,
    kind: UsageKind = UsageKind.SUM,
    now: float = 100,
    running: float = 60,
    trial: float | None = None,
    pauses: tuple[tuple[float, float | None], ...] = (),
    came: float | None = None,
    past: tuple[tuple[float, float], ...] = (),
    waits: float | None = None,
) -> Placed:
    return place(
        kind,
        at=day(used),
        now=day(now),
        started_at=START,
        running_start=day(running),
        counts_from=None if came is None else day(came),
        past=[(day(start), day(end)) for start, end in past],
        waits_from=None if waits is None else day(waits),
        trial_end=None if trial is None else day(trial),
        pauses=[(day(start), None if end is None else day(end)) for start, end in pauses],
    )


@pytest.mark.parametrize("kind", UsageKind)
def test_usage_in_the_running_period_counts_when_it_was_stamped(kind: UsageKind) -> None:
    assert placed(61, kind=kind) == Placed(day(61), late=False)


@pytest.mark.parametrize("kind", UsageKind)
def test_usage_stamped_at_a_boundary_belongs_to_the_new_period(kind: UsageKind) -> None:
    assert placed(60, kind=kind) == Placed(day(60), late=False)


def test_a_late_sum_counts_at_the_first_moment_of_the_running_period() -> None:
    assert placed(59) == Placed(day(60), late=False)


def test_a_late_sum_counts_at_the_first_moment_at_which_its_item_is_there() -> None:
    assert placed(59, came=70) == Placed(day(70))
    assert placed(50, came=40) == Placed(day(60)), "it was there before the period began"


@pytest.mark.parametrize("kind", UsageKind)
def test_what_was_used_in_the_running_period_before_the_item_came_is_left_where_it_is(kind: UsageKind) -> None:
    assert placed(65, kind=kind, came=70) == Placed(day(65))
    assert placed(65, kind=kind, came=70, past=((61, 64),)) == Placed(day(65))


def test_what_the_item_that_went_was_invoiced_for_is_not_invoiced_any_more() -> None:
    stays = ((61, 64), (66, 68))
    assert [placed(used, came=70, past=stays) for used in (61, 63.9, 67)] == [Placed(day(70))] * 3
    assert placed(63, came=70, past=stays, kind=UsageKind.LAST) == LATE
    assert [placed(used, came=70, past=stays, waits=66) for used in (63, 67)] == [Placed(day(70)), Placed(day(67))]


def test_the_moment_at_which_an_item_went_is_none_that_it_was_invoiced_for() -> None:
    assert [placed(used, came=70, past=((61, 64),)) for used in (61, 64)] == [Placed(day(70)), Placed(day(64))]


@pytest.mark.parametrize("kind", UsageKind)
def test_the_first_moment_that_waits_for_its_invoice_counts_where_it_is(kind: UsageKind) -> None:
    assert placed(66, kind=kind, came=70, past=((61, 68),), waits=66) == Placed(day(66))
    assert placed(50, kind=kind, waits=50) == Placed(day(50))


@pytest.mark.parametrize("kind", UsageKind)
def test_usage_of_a_period_that_waits_to_be_invoiced_still_counts_there(kind: UsageKind) -> None:
    assert placed(45, kind=kind, waits=40) == Placed(day(45))
    assert placed(39, kind=kind, waits=40) != Placed(day(39))


@pytest.mark.parametrize("kind", [UsageKind.MAX, UsageKind.LAST])
def test_a_late_max_or_last_changes_nothing_and_is_listed(kind: UsageKind) -> None:
    assert placed(59, kind=kind) == LATE


@pytest.mark.parametrize("kind", UsageKind)
def test_usage_in_the_trial_is_free_also_when_it_is_told_late(kind: UsageKind) -> None:
    assert placed(0, kind=kind, trial=14, running=0) == NOWHERE
    assert placed(13.9, kind=kind, trial=14, running=0, now=14) == NOWHERE
    assert placed(13.9, kind=kind, trial=14) == NOWHERE
    assert placed(14, kind=kind, trial=14, running=14) == Placed(day(14), late=False)


@pytest.mark.parametrize("kind", UsageKind)
def test_usage_in_a_pause_is_never_billed_and_never_late(kind: UsageKind) -> None:
    pauses: tuple[tuple[float, float | None], ...] = ((20, 30), (70, None))
    assert [placed(used, kind=kind, pauses=pauses) for used in (20, 29.9, 70, 99)] == [NOWHERE] * 4
    assert placed(69.9, kind=kind, pauses=pauses) == Placed(day(69.9), late=False)
    assert placed(30, pauses=pauses) == Placed(day(60), late=False)


def test_a_pause_that_ended_at_once_frees_nothing() -> None:
    assert placed(65, pauses=((65, 65),)) == Placed(day(65), late=False)


@pytest.mark.parametrize("kind", UsageKind)
def test_in_the_first_period_nothing_is_late(kind: UsageKind) -> None:
    assert placed(3, kind=kind, running=0) == Placed(day(3), late=False)


@pytest.mark.parametrize(("used", "code"), [(101, "usage_in_future"), (-1, "usage_before_start")])
def test_usage_outside_the_subscriptions_time_is_refused(used: float, code: str) -> None:
    with pytest.raises(Refused) as caught:
        placed(used, trial=14)
    assert caught.value.code == code


def test_usage_of_this_very_moment_is_accepted() -> None:
    assert placed(100, now=100) == Placed(day(100), late=False)
    assert placed(0, running=0) == Placed(day(0), late=False)


@given(
    st.sampled_from(UsageKind),
    st.integers(0, 100),
    st.integers(0, 100),
    st.one_of(st.none(), st.integers(0, 50)),
    st.lists(st.tuples(st.integers(0, 50), st.integers(51, 100)), max_size=3),
)
def test_what_counts_never_counts_in_a_closed_period(
    kind: UsageKind, used: int, running: int, trial: int | None, pauses: list[tuple[int, int]]
) -> None:
    found = placed(used, kind=kind, running=running, trial=trial, pauses=tuple(pauses))
    if found.late:
        assert (found.counts_at, kind is UsageKind.SUM) == (None, False)
    elif found.counts_at is not None:
        assert found.counts_at == max(day(used), day(running))
