"""What a subscription, its items, its anchor and the boundary from which it moves in refuse."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.kernel.errors import Refused
from billing.kernel.period import Interval, IntervalUnit
from billing.validators.price import NewPrice
from billing.validators.subscription import (
    NewItem,
    NewSubscription,
    check_against_prices,
    check_anchor,
    check_items,
    check_new_subscription,
    first_period_to_bill,
)
from tests.validators.table import NOW, PRICE, Case, faults_of

SUBSCRIPTION = NewSubscription(code="s1", account_id="acct-1", items=(NewItem("basic", 2),), start=NOW)

SUBSCRIPTIONS: list[Case] = [
    ({}, []),
    ({"code": ""}, [("code", "missing")]),
    ({"items": ()}, [("items", "no_items")]),
    ({"items": (NewItem("a", 0),)}, [("items.1.quantity", "out_of_range")]),
    ({"items": (NewItem("a", 1_000_000_001),)}, [("items.1.quantity", "out_of_range")]),
    ({"items": (NewItem("a"), NewItem(""))}, [("items.2.price", "missing")]),
    ({"items": (NewItem("a"), NewItem("a"))}, [("items", "price_twice")]),
    ({"items": tuple(NewItem(f"p{n}") for n in range(51))}, [("items", "too_many")]),
    ({"timezone": "x"}, [("timezone", "unknown_timezone")]),
    ({"start": datetime(2026, 1, 1)}, [("start", "time_without_offset")]),
    ({"paid_through": datetime(2026, 1, 1)}, [("paid_through", "time_without_offset")]),
    ({"paid_through": NOW, "trial_days": 7}, [("paid_through", "paid_through_and_anchor")]),
    ({"trial_days": -1}, [("trial_days", "out_of_range")]),
    ({"trial_days": 7, "anchor": NOW}, [("trial_days", "trial_with_anchor")]),
    ({"anchor": datetime(2026, 1, 1)}, [("anchor", "time_without_offset")]),
    ({"coupon_code": ""}, [("coupon", "missing")]),
    ({"collection": "cash"}, [("collection", "not_one_of")]),
    ({"days_until_due": -1}, [("days_until_due", "out_of_range")]),
]


@pytest.mark.parametrize(("change", "faults"), SUBSCRIPTIONS)
def test_subscription(change: dict[str, Any], faults: list[tuple[str, str]]) -> None:
    assert faults_of(lambda: check_new_subscription(replace(SUBSCRIPTION, **change))) == faults


def test_a_list_of_items_alone_is_checked_like_that_of_a_new_subscription() -> None:
    assert faults_of(lambda: check_items(())) == [("items", "no_items")]
    assert faults_of(lambda: check_items((NewItem("a", 1), NewItem("a", 0)))) == [
        ("items.2.quantity", "out_of_range"),
        ("items", "price_twice"),
    ]


METERED = replace(PRICE, code="api", usage="sum")
ONE_OFF = replace(PRICE, code="setup", interval_unit=None)
Items = list[tuple[NewPrice | None, int | None]]


@pytest.mark.parametrize(
    ("items", "faults"),
    [
        ([(PRICE, 2), (METERED, None), (ONE_OFF, None)], []),
        ([(PRICE, None), (replace(PRICE, currency="usd"), None)], [("items", "currencies_differ")]),
        ([(PRICE, None), (replace(PRICE, interval_unit="year"), None)], [("items", "intervals_differ")]),
        (
            [(PRICE, None), (replace(PRICE, currency="usd", interval_count=2), None)],
            [("items", "currencies_differ"), ("items", "intervals_differ")],
        ),
        ([(ONE_OFF, 1)], [("items", "nothing_recurs")]),
        ([(PRICE, 1), (METERED, 5)], [("items.2.quantity", "quantity_of_metered")]),
        ([(None, 1), (ONE_OFF, 1)], [("items.1.price", "price_not_found")]),
        (
            [(METERED, 5), (None, 1), (replace(PRICE, currency="usd"), 1)],
            [
                ("items", "currencies_differ"),
                ("items.1.quantity", "quantity_of_metered"),
                ("items.2.price", "price_not_found"),
            ],
        ),
    ],
)
def test_items_fit_their_prices_and_one_another(items: Items, faults: list[tuple[str, str]]) -> None:
    named = [NewItem(f"p{place}", quantity) for place, (_, quantity) in enumerate(items)]
    prices = {item.price_code: price for item, (price, _) in zip(named, items, strict=True) if price is not None}
    assert faults_of(lambda: check_against_prices(named, prices)) == faults


MONTH = Interval(IntervalUnit.MONTH)


@pytest.mark.parametrize(
    ("anchor", "faults"),
    [
        (NOW, [("anchor", "anchor_not_later")]),
        (NOW - timedelta(days=1), [("anchor", "anchor_not_later")]),
        (NOW + timedelta(microseconds=1), []),
        (datetime(2026, 4, 1, tzinfo=UTC), []),  # one full period ahead
        (datetime(2026, 4, 1, 0, 0, 1, tzinfo=UTC), [("anchor", "anchor_too_late")]),
    ],
)
def test_an_anchor_lies_at_most_a_full_period_ahead(anchor: datetime, faults: list[tuple[str, str]]) -> None:
    assert faults_of(lambda: check_anchor(start=NOW, anchor=anchor, zone="UTC", interval=MONTH)) == faults


def test_an_anchor_whose_full_period_would_begin_before_the_calendar_is_refused() -> None:
    start = datetime(1000, 1, 1, tzinfo=UTC)
    longest = Interval(IntervalUnit.YEAR, 1000)
    faults = faults_of(
        lambda: check_anchor(start=start, anchor=start + timedelta(days=1), zone="UTC", interval=longest)
    )
    assert faults == [("anchor", "out_of_range")]


def _first(paid_through: datetime, zone: str = "UTC") -> int:
    anchor = datetime(2025, 10, 31, tzinfo=UTC)
    return first_period_to_bill(anchor=anchor, zone=zone, interval=MONTH, paid_through=paid_through)


def test_who_has_paid_nothing_elsewhere_is_billed_from_the_start() -> None:
    assert _first(datetime(2025, 10, 31, tzinfo=UTC)) == 0


def test_who_moves_in_is_billed_from_the_boundary_up_to_which_they_have_paid() -> None:
    assert _first(datetime(2026, 2, 28, tzinfo=UTC)) == 4


def test_a_date_between_boundaries_is_refused_with_the_two_nearest() -> None:
    with pytest.raises(Refused) as refusal:
        _first(datetime(2026, 3, 1, tzinfo=UTC))
    assert refusal.value.code == "paid_through_not_a_boundary"
    assert "2026-02-28T00:00:00Z or 2026-03-31T00:00:00Z" in refusal.value.faults[0].mend


def test_nobody_has_paid_up_to_a_time_before_the_start() -> None:
    with pytest.raises(Refused) as refusal:
        _first(datetime(2025, 10, 30, tzinfo=UTC))
    assert refusal.value.code == "paid_through_before_start"
