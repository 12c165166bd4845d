"""What was scheduled meets the boundaries: a cancel, other items, a pause; and what a document then names."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.kernel.errors import Refused
from billing.kernel.period import Interval, IntervalUnit
from billing.rules.walk import MOST_ON_ONE, CatchUpPolicy, document_span
from tests.rules.walks import (
    BILL_EACH,
    BILLED,
    DAY,
    MERGE,
    MONTH,
    MONTHLY,
    PAUSED,
    SKIP,
    SKIPPED,
    STARTING,
    TRIAL,
    YEAR,
    numbers,
    onward,
    span,
    utc,
    walked,
)

# --- a scheduled cancel ----------------------------------------------------------------------------------------------


def test_no_period_begins_at_or_after_a_scheduled_cancel() -> None:
    found = walked(replace(MONTHLY, cancel_at=utc("2026-03-31")), "2026-06-15")
    assert numbers(found) == [(1, BILLED)]
    assert found.ends
    assert found.next_due is None


def test_the_last_turn_closes_the_last_period_and_has_a_document_for_its_usage() -> None:
    found = walked(replace(MONTHLY, cancel_at=utc("2026-02-28")), "2026-02-28")
    (turn,) = found.turns
    assert (turn.at, turn.opens, turn.closes) == (utc("2026-02-28"), None, span("2026-01-31", "2026-02-28"))
    assert found.documents == ((turn,),)
    assert (found.ends, found.next_period_no) == (True, 1)


def test_a_cancel_that_has_not_come_yet_is_the_next_moment() -> None:
    found = walked(replace(MONTHLY, cancel_at=utc("2026-03-31")), "2026-03-01")
    assert numbers(found) == [(1, BILLED)]
    assert not found.ends
    assert found.next_due == utc("2026-03-31")


def test_a_cancel_waits_while_the_limit_leaves_boundaries_before_it() -> None:
    found = walked(replace(MONTHLY, cancel_at=utc("2026-05-31")), "2026-07-01", most=1)
    assert not found.ends
    assert found.next_due == utc("2026-03-31")


def test_under_skip_a_cancel_in_the_outage_bills_no_period_but_the_usage_of_all() -> None:
    found = walked(replace(MONTHLY, cancel_at=utc("2026-04-30")), "2026-06-15", policy=SKIP)
    assert numbers(found) == [(1, SKIPPED), (2, SKIPPED)]
    assert found.documents == (found.turns,)
    assert (found.turns[-1].opens, found.turns[-1].closes) == (None, span("2026-03-31", "2026-04-30"))
    assert found.ends


# --- a scheduled change ----------------------------------------------------------------------------------------------


def test_scheduled_items_take_over_at_the_first_boundary_and_once() -> None:
    found = walked(replace(MONTHLY, turns_to=MONTH), "2026-05-01")
    assert [turn.turned for turn in found.turns] == [True, False, False]
    assert (found.anchor, found.anchor_no, found.interval) == (MONTHLY.anchor, 0, MONTH)
    assert numbers(found) == numbers(walked(MONTHLY, "2026-05-01"))


def test_items_of_another_interval_make_their_boundary_the_anchor() -> None:
    found = walked(replace(MONTHLY, turns_to=YEAR), "2026-02-28")
    (turn,) = found.turns
    assert (turn.anchor_no, turn.period_no, turn.turned) == (1, 0, True)
    assert turn.opens == span("2026-02-28", "2027-02-28")
    assert turn.closes == MONTHLY.running
    assert (found.anchor, found.anchor_no, found.interval) == (utc("2026-02-28"), 1, YEAR)
    assert (found.next_period_no, found.next_due) == (1, utc("2027-02-28"))


def test_another_count_is_another_interval() -> None:
    found = walked(replace(MONTHLY, turns_to=Interval(IntervalUnit.MONTH, 2)), "2026-05-01")
    assert [(turn.at, turn.anchor_no, turn.period_no) for turn in found.turns] == [
        (utc("2026-02-28"), 1, 0),
        (utc("2026-04-28"), 1, 1),
    ]


@pytest.mark.parametrize("policy", list(CatchUpPolicy))
def test_a_change_in_the_outage_acts_at_its_boundary(policy: CatchUpPolicy) -> None:
    found = walked(replace(MONTHLY, turns_to=Interval(IntervalUnit.WEEK)), "2026-03-15", policy=policy)
    assert [turn.at for turn in found.turns] == [utc("2026-02-28"), utc("2026-03-07"), utc("2026-03-14")]
    assert [turn.turned for turn in found.turns] == [True, False, False]


def test_a_change_in_a_trial_holds_from_its_end() -> None:
    (turn,) = walked(replace(TRIAL, turns_to=YEAR), "2026-01-31").turns
    assert (turn.turned, turn.opens, turn.closes) == (True, span("2026-01-31", "2027-01-31"), None)


def test_a_change_that_has_not_come_yet_changes_nothing() -> None:
    found = walked(replace(MONTHLY, turns_to=YEAR), "2026-02-27")
    assert (found.turns, found.anchor_no, found.interval) == ((), 0, MONTH)


def test_a_scheduled_cancel_beats_a_scheduled_change() -> None:
    found = walked(replace(MONTHLY, turns_to=YEAR, cancel_at=utc("2026-02-28")), "2026-03-15")
    (turn,) = found.turns
    assert (turn.turned, turn.opens) == (False, None)
    assert (found.ends, found.anchor, found.interval) == (True, MONTHLY.anchor, MONTH)


def test_an_end_inside_the_period_of_a_longer_interval_comes_in_its_time() -> None:
    ending = replace(MONTHLY, turns_to=YEAR, cancel_at=utc("2026-03-31"))
    opened = walked(ending, "2026-02-28")
    assert (opened.ends, opened.next_due) == (False, utc("2026-03-31"))
    over = walked(onward(ending, opened), "2026-03-31")
    assert (over.ends, over.turns[-1].closes) == (True, span("2026-02-28", "2026-03-31"))


# --- a pause ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", list(CatchUpPolicy))
def test_in_a_pause_boundaries_pass_without_a_document(policy: CatchUpPolicy) -> None:
    found = walked(replace(MONTHLY, paused=True), "2026-05-01", policy=policy)
    assert numbers(found) == [(1, PAUSED), (2, PAUSED), (3, PAUSED)]
    assert found.documents == ()
    assert (found.next_period_no, found.next_due) == (4, utc("2026-05-31"))


def test_a_period_that_closes_in_a_pause_is_told_for_its_usage_from_before() -> None:
    (turn,) = walked(replace(MONTHLY, paused=True), "2026-02-28").turns
    assert turn.closes == MONTHLY.running


def test_after_a_resume_the_next_boundary_is_billed_and_closes_the_period_opened_in_the_pause() -> None:
    paused = replace(MONTHLY, paused=True)
    resumed = replace(onward(paused, walked(paused, "2026-03-01")), paused=False)
    assert walked(resumed, "2026-03-30").turns == ()
    found = walked(resumed, "2026-03-31")
    (turn,) = found.turns
    assert (turn.disposition, turn.closes) == (BILLED, span("2026-02-28", "2026-03-31"))
    assert found.documents == ((turn,),)


@pytest.mark.parametrize("policy", list(CatchUpPolicy))
def test_a_cancel_in_a_pause_has_its_last_document_alone(policy: CatchUpPolicy) -> None:
    found = walked(replace(MONTHLY, paused=True, cancel_at=utc("2026-03-31")), "2026-06-15", policy=policy)
    assert numbers(found) == [(1, PAUSED)]
    assert found.documents == ((found.turns[-1],),)
    assert document_span(found.documents[0], policy) == span("2026-02-28", "2026-03-31")
    assert found.ends


def test_scheduled_items_take_over_in_a_pause_too() -> None:
    found = walked(replace(MONTHLY, paused=True, turns_to=YEAR), "2026-03-15")
    (turn,) = found.turns
    assert (turn.disposition, turn.turned, found.interval) == (PAUSED, True, YEAR)


# --- what a document names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "now", "spans"),
    [
        (BILL_EACH, "2026-04-10", [("2026-02-28", "2026-03-31"), ("2026-03-31", "2026-04-30")]),
        (MERGE, "2026-04-10", [("2026-02-28", "2026-04-30")]),
        (MERGE, "2026-03-01", [("2026-02-28", "2026-03-31")]),
        (SKIP, "2026-04-10", [("2026-03-31", "2026-04-30")]),
        (SKIP, "2026-03-01", [("2026-02-28", "2026-03-31")]),
    ],
)
def test_a_document_names_the_period_that_it_opens_and_merged_all_of_them(
    policy: CatchUpPolicy, now: str, spans: list[tuple[str, str]]
) -> None:
    found = walked(MONTHLY, now, policy=policy)
    assert [document_span(turns, policy) for turns in found.documents] == [span(*each) for each in spans]


@pytest.mark.parametrize(
    ("policy", "cancel_at", "spans"),
    [
        (BILL_EACH, "2026-02-28", [("2026-01-31", "2026-02-28")]),
        (MERGE, "2026-02-28", [("2026-01-31", "2026-02-28")]),
        (SKIP, "2026-02-28", [("2026-01-31", "2026-02-28")]),
        (BILL_EACH, "2026-03-31", [("2026-02-28", "2026-03-31"), ("2026-02-28", "2026-03-31")]),
        (MERGE, "2026-03-31", [("2026-02-28", "2026-03-31")]),
        (SKIP, "2026-03-31", [("2026-02-28", "2026-03-31")]),
        (MERGE, "2026-04-30", [("2026-02-28", "2026-04-30")]),
        (SKIP, "2026-04-30", [("2026-03-31", "2026-04-30")]),
    ],
)
def test_a_last_document_names_the_period_that_it_ends(
    policy: CatchUpPolicy, cancel_at: str, spans: list[tuple[str, str]]
) -> None:
    found = walked(replace(MONTHLY, cancel_at=utc(cancel_at)), "2026-06-15", policy=policy)
    assert [document_span(turns, policy) for turns in found.documents] == [span(*each) for each in spans]


@pytest.mark.parametrize("policy", list(CatchUpPolicy))
def test_the_document_of_a_stub_names_the_stub(policy: CatchUpPolicy) -> None:
    (turns,) = walked(STARTING, "2026-01-17", policy=policy).documents
    assert document_span(turns, policy) == span("2026-01-17", "2026-02-01")


# --- how much at once ------------------------------------------------------------------------------------------------

DAILY = replace(MONTHLY, interval=DAY, anchor=utc("2026-01-01"), running=span("2026-01-01", "2026-01-02"))
LONG = DAILY.anchor + timedelta(days=MOST_ON_ONE + 1)


@pytest.mark.parametrize("policy", [MERGE, SKIP])
def test_one_document_takes_many_missed_periods(
    policy: CatchUpPolicy,
) -> None:
    found = walked(DAILY, LONG, policy=policy)
    assert (len(found.turns), len(found.documents)) == (MOST_ON_ONE + 1, 1)
    assert walked(replace(DAILY, cancel_at=LONG), LONG + timedelta(days=9), policy=policy).ends


@pytest.mark.parametrize("policy", [MERGE, SKIP])
def test_more_are_refused_and_billed_one_by_one(policy: CatchUpPolicy) -> None:
    for later in (1, 100_000):
        with pytest.raises(Refused) as refused:
            walked(DAILY, LONG + timedelta(days=later), policy=policy)
        assert (refused.value.code, refused.value.faults[0].field) == ("catch_up_too_long", "catch_up")
    assert len(walked(DAILY, LONG + timedelta(days=1), most=12).turns) == 12
