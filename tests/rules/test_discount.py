"""Discount: rounded once for the document, then shared over its lines to the last minor unit."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rules.discount import CouponDuration, Discount, base_of, discount_shares, still_applies


def percent(value: str) -> Discount:
    return Discount(percent=Decimal(value), amount_minor=None)


def amount(minor: int) -> Discount:
    return Discount(percent=None, amount_minor=minor)


def inside(*amounts: int) -> list[tuple[int, bool]]:
    return [(one, True) for one in amounts]


@pytest.mark.parametrize(
    ("discount", "lines", "shares"),
    [
        (amount(500), inside(1000, 2000), [167, 333]),  # Stripe's example, where the last line takes the rest: 166, 334
        (percent("50"), inside(999), [500]),
        (amount(5), inside(10, 20), [2, 3]),
        (percent("50"), inside(1000), [500]),
        (percent("50"), inside(1), [1]),
        (percent("50"), inside(1, 1), [0, 1]),
        (percent("33.333"), inside(1000, 500), [333, 167]),
        (percent("100"), inside(1000, -300), [1000, -300]),
        (percent("10"), inside(0, 0), [0, 0]),
        (amount(5000), inside(1000, 500), [1000, 500]),
        (amount(1), inside(100, 100, 100), [0, 0, 1]),
        (amount(2), inside(100, 100, 100), [0, 1, 1]),
        (amount(500), inside(1000, 0, 2000), [167, 0, 333]),
        (percent("50"), inside(-1000, 1000), [0, 0]),
        (percent("50"), inside(-1000, 400), [0, 0]),
        (percent("50"), [], []),
    ],
)
def test_a_discount_is_shared_in_proportion_by_largest_remainder(
    discount: Discount, lines: list[tuple[int, bool]], shares: list[int]
) -> None:
    assert discount_shares(discount, lines) == shares


def test_a_credit_for_an_issued_line_neither_bears_nor_lowers_the_discount() -> None:
    lines = [(-328, False), (1969, True), (-1969, True), (657, True), (1000, True)]
    assert base_of(lines) == 1657
    shares = discount_shares(percent("50"), lines)
    assert shares == [0, 985, -985, 329, 500]
    assert sum(shares) == 829


def test_lines_outside_the_base_alone_have_no_discount() -> None:
    assert discount_shares(amount(500), [(-900, False), (900, False)]) == [0, 0]


@pytest.mark.parametrize(
    ("duration", "periods", "applies"),
    [
        (CouponDuration.ONCE, None, [True, False, False, False]),
        (CouponDuration.REPEATING, 3, [True, True, True, False]),
        (CouponDuration.REPEATING, 1, [True, False, False, False]),
        (CouponDuration.FOREVER, None, [True, True, True, True]),
    ],
)
def test_a_coupon_lowers_for_its_duration(
    duration: CouponDuration, periods: int | None, *, applies: list[bool]
) -> None:
    assert [still_applies(duration, periods=periods, used=used) for used in range(4)] == applies


def test_a_coupon_says_how_long_it_lasts() -> None:
    with pytest.raises(AssertionError, match="how often"):
        still_applies(CouponDuration.REPEATING, periods=None, used=0)
    with pytest.raises(ValueError, match="seldom"):
        CouponDuration("seldom")


@pytest.mark.parametrize(("percentage", "minor"), [(Decimal(10), 100), (None, None)])
def test_a_discount_is_a_percent_or_an_amount(percentage: Decimal | None, minor: int | None) -> None:
    with pytest.raises(ValueError, match="a percent or an amount"):
        Discount(percent=percentage, amount_minor=minor)


DISCOUNTS = st.one_of(
    st.decimals(Decimal("0.0001"), 100, places=4).map(lambda value: Discount(percent=value, amount_minor=None)),
    st.integers(1, 10**9).map(amount),
)
LINES = st.lists(st.tuples(st.integers(-(10**9), 10**9), st.booleans()), max_size=10)


@given(DISCOUNTS, LINES)
def test_shares_sum_to_a_discount_that_never_exceeds_the_base(
    discount: Discount, lines: list[tuple[int, bool]]
) -> None:
    shares = discount_shares(discount, lines)
    base = base_of(lines)
    assert len(shares) == len(lines)
    assert all(share == 0 for share, (_, in_base) in zip(shares, lines, strict=True) if not in_base)
    if base <= 0:
        assert not any(shares)
        return
    assert 0 <= sum(shares) <= base
    if discount.amount_minor is not None:
        assert sum(shares) == min(discount.amount_minor, base)


@given(DISCOUNTS, st.lists(st.integers(0, 10**9), min_size=1, max_size=10))
def test_no_line_is_lowered_below_nothing(discount: Discount, amounts: list[int]) -> None:
    shares = discount_shares(discount, inside(*amounts))
    assert all(0 <= share <= line for share, line in zip(shares, amounts, strict=True))
