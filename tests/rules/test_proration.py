"""Proration: a share of a period, counted in exact seconds or local dates, rounded once a line."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from billing.kernel.money import round_half_away
from billing.kernel.period import Interval, IntervalUnit, boundary
from billing.rules.lines import PriceModel, PriceTerms, exact_amount, priced
from billing.rules.proration import ProrationUnit, kept_share, prorated_charge, prorated_credit, span

SECOND, DAY = ProrationUnit.SECOND, ProrationUnit.DAY
JUNE, JULY = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)
BERLIN = "Europe/Berlin"


def charge(full: int | Fraction, *, at: datetime, start: datetime = JUNE, end: datetime = JULY) -> int:
    return prorated_charge(full=Fraction(full), at=at, full_start=start, end=end, unit=SECOND, zone="UTC").amount_minor


def credit(
    net: int, *, at: datetime, start: datetime = JUNE, end: datetime = JULY, kept: Fraction = Fraction(1)
) -> int:
    return prorated_credit(
        net_minor=net, at=at, line_start=start, end=end, unit=SECOND, zone="UTC", kept=kept
    ).amount_minor


@pytest.mark.parametrize(
    ("amount", "days", "of", "share"),
    [
        (1000, 20, 30, 667),
        (2000, 20, 30, 1333),
        (999, 15, 31, 483),
        (2000, 10, 30, 667),  # Stripe: a third of 20.00 back
        (1000, 10, 30, 333),  # and a third of 10.00 on top
        (1000, 15, 30, 500),  # Stripe, half-way: 5.00 back
        (2000, 15, 30, 1000),  # and 10.00 on top
        (10000, 15, 30, 5000),  # Polar, from a month to a year half-way
        (3000, 20, 30, 2000),
        (1000, 30, 30, 1000),
        (1000, 0, 30, 0),
    ],
)
def test_the_golden_shares_of_the_field(amount: int, days: int, of: int, share: int) -> None:
    end = JUNE + timedelta(days=of)
    at = end - timedelta(days=days)
    assert charge(amount, at=at, end=end) == share
    assert credit(amount, at=at, end=end) == -share


def test_stripes_downgrade_at_two_thirds_gives_back_3_34() -> None:
    at = JUNE + timedelta(days=20)
    assert credit(2000, at=at) + charge(1000, at=at) == -334


def test_what_a_discount_left_is_credited_and_not_the_list_price() -> None:
    middle = JUNE + timedelta(days=15)
    assert (credit(1000 - 500, at=middle), charge(1000, at=middle)) == (-250, 500)


def test_halves_go_away_from_zero_in_both_directions() -> None:
    middle = JUNE + timedelta(days=15)
    assert (charge(1, at=middle), credit(1, at=middle)) == (1, -1)
    assert (charge(999, at=middle), credit(999, at=middle)) == (500, -500)


def test_the_full_amount_stays_exact_until_the_line() -> None:
    middle = JUNE + timedelta(days=15)
    assert charge(Fraction(1, 2), at=middle) == 0
    assert charge(Fraction(3, 2), at=middle) == 1
    assert charge(exact_amount(PriceTerms(PriceModel.PER_UNIT, Decimal("0.05")), Decimal(20)), at=middle) == 1


def test_what_was_refunded_is_not_credited_again() -> None:
    assert credit(1000, at=JUNE + timedelta(days=10), kept=Fraction(1, 2)) == -333
    assert credit(1000, at=JUNE + timedelta(days=10), kept=Fraction(0)) == 0


def test_a_stub_is_charged_against_the_full_period_that_it_ends() -> None:
    anchor, started = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 1, 17, tzinfo=UTC)
    before = boundary(anchor, "UTC", Interval(IntervalUnit.MONTH), -1)
    assert charge(999, at=started, start=before, end=anchor) == 483


def test_a_first_period_of_42_days_is_divided_by_the_91_of_the_whole_one() -> None:
    anchor = datetime(2026, 7, 1, tzinfo=UTC)
    before = boundary(anchor, "UTC", Interval(IntervalUnit.MONTH, 3), -1)
    assert (anchor - before).days == 91
    assert charge(9100, at=anchor - timedelta(days=42), start=before, end=anchor) == 4200


def test_a_line_charged_inside_a_period_is_credited_by_its_own_start() -> None:
    begun, at = JUNE + timedelta(days=10), JUNE + timedelta(days=20)
    assert credit(charge(3000, at=begun), at=at, start=begun) == -1000


@pytest.mark.parametrize(
    ("total", "refunded", "kept"),
    [(1190, 0, Fraction(1)), (1190, 595, Fraction(1, 2)), (1190, 1190, Fraction(0)), (0, 0, Fraction(1))],
)
def test_what_is_kept_of_a_document_is_what_was_not_refunded(total: int, refunded: int, kept: Fraction) -> None:
    assert kept_share(total_minor=total, refunded_minor=refunded) == kept


@pytest.mark.parametrize("unit", [SECOND, DAY])
def test_a_period_without_time_costs_and_gives_back_nothing(unit: ProrationUnit) -> None:
    rest = {"at": JUNE, "end": JUNE, "unit": unit, "zone": "UTC"}
    assert prorated_charge(full=Fraction(1000), full_start=JUNE, **rest).amount_minor == 0
    assert prorated_credit(net_minor=1000, line_start=JUNE, **rest).amount_minor == 0


@pytest.mark.parametrize(
    ("start", "end", "seconds", "days"),
    [
        ("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", 23 * 3600, 1),  # the day of 23 hours in Berlin
        ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", 25 * 3600, 1),  # the one of 25
        ("2026-06-10T21:59:59Z", "2026-06-10T22:00:00Z", 1, 1),  # local midnight lies between
        ("2026-06-10T22:00:00Z", "2026-06-11T21:59:59Z", 86399, 0),
        ("2026-06-01T00:00:00.900000Z", "2026-06-01T00:00:01.100000Z", Fraction(1, 5), 0),
        ("2025-06-16T23:30:00Z", "2025-06-30T22:00:00Z", 1_204_200, 14),  # it is 17 June in Berlin already
        ("2026-06-01T00:00:00Z", "2026-05-01T00:00:00Z", 0, 0),
    ],
)
def test_time_is_counted_in_seconds_or_in_local_dates(start: str, end: str, seconds: int | Fraction, days: int) -> None:
    begins, ends = datetime.fromisoformat(start), datetime.fromisoformat(end)
    assert (span(SECOND, BERLIN, begins, ends), span(DAY, BERLIN, begins, ends)) == (seconds, days)


def test_by_day_a_change_on_the_last_date_counts_none() -> None:
    start, end = datetime(2026, 6, 1, 12, tzinfo=UTC), datetime(2026, 7, 1, 12, tzinfo=UTC)
    rest = {"end": end, "unit": DAY, "zone": "UTC"}
    assert prorated_charge(full=Fraction(3000), at=end - timedelta(hours=1), full_start=start, **rest).amount_minor == 0
    assert (
        prorated_charge(full=Fraction(3000), at=end - timedelta(hours=13), full_start=start, **rest).amount_minor == 100
    )


def test_where_clocks_went_back_over_midnight_no_more_than_the_whole_is_given_back() -> None:
    # Newfoundland: a minute after midnight on 7 November 2010 it was a minute past eleven on the 6th again.
    start = datetime(2010, 11, 7, 2, 30, 30, tzinfo=UTC)
    rest = {"at": start + timedelta(minutes=1), "end": datetime(2010, 12, 7, 4, tzinfo=UTC)}
    zoned = {"unit": DAY, "zone": "America/St_Johns"}
    assert span(end=rest["end"], start=rest["at"], **zoned) > span(end=rest["end"], start=start, **zoned)
    assert prorated_credit(net_minor=3000, line_start=start, **rest, **zoned).amount_minor == -3000
    assert prorated_charge(full=Fraction(3000), full_start=start, **rest, **zoned).amount_minor == 3000


def test_a_prorated_line_keeps_the_integers_that_it_was_made_of() -> None:
    found = prorated_credit(
        net_minor=1000,
        at=JUNE + timedelta(days=10),
        line_start=JUNE,
        end=JULY,
        unit=DAY,
        zone=BERLIN,
        kept=Fraction(1, 3),
    )
    assert found.how == {
        "proration": "credit",
        "base_numerator": 1000,
        "base_denominator": 1,
        "kept_numerator": 1,
        "kept_denominator": 3,
        "left": 20,
        "whole": 30,
        "time_unit": "day",
        "whole_from": "2026-06-01T00:00:00Z",
        "whole_to": "2026-07-01T00:00:00Z",
        "zone": BERLIN,
        "numerator": -2000,
        "denominator": 9,
        "rounding": "half_away_from_zero",
    }


def test_a_charge_keeps_the_account_of_the_full_amount_beside_the_share() -> None:
    full = priced(PriceTerms(PriceModel.PACKAGE, Decimal(500), package_size=10), Decimal(11))
    found = prorated_charge(
        full=Fraction(full.amount_minor), at=JUNE, full_start=JUNE, end=JULY, unit=SECOND, zone="UTC", full_how=full.how
    )
    ending = {"numerator", "denominator", "rounding"}
    assert {key: value for key, value in full.how.items() if key not in ending}.items() <= found.how.items()
    assert (found.how["proration"], found.how["base_numerator"]) == ("charge", 1000)
    assert json.loads(json.dumps(found.how)) == found.how


NETS = st.integers(0, 10**9)
MOMENTS = st.datetimes(datetime(2026, 5, 1), datetime(2026, 8, 1), timezones=st.just(UTC))
UNITS = st.sampled_from(ProrationUnit)
ZONES = st.sampled_from(["UTC", BERLIN, "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia"])


@given(NETS, st.integers(0, 30 * 86400 - 1))
def test_a_change_and_its_undo_at_one_instant_net_to_zero(net: int, second: int) -> None:
    at = JUNE + timedelta(seconds=second)
    away = charge(2999, at=at)
    lines = [credit(net, at=at), away, credit(away, at=at, start=at), charge(net, at=at)]
    assert sum(lines) == 0


@given(NETS, st.integers(0, 30 * 86400), st.fractions(0, 1, max_denominator=1000))
def test_a_credit_gives_back_no_more_than_was_charged_and_kept(net: int, second: int, kept: Fraction) -> None:
    given_back = -credit(net, at=JUNE + timedelta(seconds=second), kept=kept)
    assert 0 <= given_back <= round_half_away(net * kept)


@given(NETS, st.lists(st.integers(0, 30 * 86400), max_size=6))
def test_shares_of_parts_that_tile_a_period_sum_to_the_whole_within_their_roundings(net: int, cuts: list[int]) -> None:
    edges = [JUNE, *(JUNE + timedelta(seconds=cut) for cut in sorted(cuts)), JULY]
    exact = [
        Fraction(net) * span(SECOND, "UTC", start, end) / span(SECOND, "UTC", JUNE, JULY)
        for start, end in pairwise(edges)
    ]
    assert sum(exact) == net
    assert abs(sum(map(round_half_away, exact)) - net) <= Fraction(len(exact), 2)


@given(UNITS, ZONES, MOMENTS, MOMENTS, MOMENTS)
def test_spans_that_meet_add_up(unit: ProrationUnit, zone: str, one: datetime, two: datetime, three: datetime) -> None:
    start, middle, end = sorted((one, two, three))
    assert span(unit, zone, start, middle) + span(unit, zone, middle, end) == span(unit, zone, start, end)


def test_part_of_a_second_is_told_in_microseconds() -> None:
    found = prorated_charge(
        full=Fraction(1000),
        at=JUNE + timedelta(microseconds=500_000),
        full_start=JUNE,
        end=JUNE + timedelta(seconds=1),
        unit=SECOND,
        zone="UTC",
    )
    assert found.amount_minor == 500
    assert (found.how["left"], found.how["whole"], found.how["time_unit"]) == (500_000, 1_000_000, "microsecond")


@given(NETS, UNITS, ZONES, st.tuples(MOMENTS, MOMENTS, MOMENTS))
def test_the_account_of_a_share_gives_the_amount_again(
    net: int, unit: ProrationUnit, zone: str, moments: tuple[datetime, datetime, datetime]
) -> None:
    start, at, end = sorted(moments)
    assume(start < end)
    found = prorated_charge(full=Fraction(net), at=at, full_start=start, end=end, unit=unit, zone=zone)
    how = json.loads(json.dumps(found.how))
    exact = Fraction(how["numerator"], how["denominator"])
    assert round_half_away(exact) == found.amount_minor
    base = Fraction(how["base_numerator"], how["base_denominator"])
    assert exact == (base * how["left"] / how["whole"] if how["whole"] else 0)
    assert 0 <= found.amount_minor <= net
