"""Totals: what is due adds up from the lines, and a negative total turns into a credit note."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.kernel.errors import Refused
from billing.rules.tax import UNTAXED, TaxRate, TaxTreatment, treatment
from billing.rules.totals import LineAmount, totals


def at(percent: str, *, inclusive: bool = False, buyer: str = "DE", has_tax_id: bool = False) -> TaxTreatment:
    rate = TaxRate.of(percent=percent, inclusive=inclusive, countries={})
    return treatment(seller_country="DE", buyer_country=buyer, has_tax_id=has_tax_id, rate=rate)


STANDARD = at("19")
INCLUSIVE = at("19", inclusive=True)
REVERSED = at("19", buyer="FR", has_tax_id=True)
TEN = at("10")

LINES = st.lists(
    st.builds(
        LineAmount,
        st.integers(-(10**9), 10**9),
        st.sampled_from([STANDARD, INCLUSIVE, UNTAXED, REVERSED]),
        st.integers(0, 10**6),
    ),
    max_size=8,
)


def test_tax_stands_on_the_amount_after_discount() -> None:
    found = totals([LineAmount(2000, STANDARD, discount_minor=1000)])
    assert (found.subtotal_minor, found.discount_minor, found.tax_minor, found.total_minor) == (2000, 1000, 190, 1190)


def test_inclusive_tax_is_already_inside_the_total() -> None:
    found = totals([LineAmount(1190, INCLUSIVE)])
    assert (found.subtotal_minor, found.tax_minor, found.total_minor) == (1190, 190, 1190)


def test_a_yen_document_has_no_minor_unit_to_lose() -> None:
    found = totals([LineAmount(-500, TEN), LineAmount(1500, TEN), LineAmount(3000, TEN)])
    assert (found.subtotal_minor, found.tax_minor, found.total_minor) == (4000, 400, 4400)


def test_reverse_charge_shows_on_the_document_with_its_note() -> None:
    found = totals([LineAmount(1000, REVERSED)])
    assert found.reverse_charge
    assert found.notes == ("reverse_charge",)
    assert (found.tax_minor, found.total_minor) == (0, 1000)


@pytest.mark.parametrize(
    ("balance", "applied", "due"), [(0, 0, 1190), (714, 714, 476), (1190, 1190, 0), (5000, 1190, 0), (-50, 0, 1190)]
)
def test_the_balance_is_used_up_to_the_total(balance: int, applied: int, due: int) -> None:
    found = totals([LineAmount(1000, STANDARD)], balance_minor=balance)
    assert (found.credit_applied_minor, found.amount_due_minor) == (applied, due)


@pytest.mark.parametrize(
    ("unit", "balance", "brought", "applied", "due"),
    [
        (1000, 0, 24, 0, 1214),
        (1000, 1200, 24, 1200, 14),
        (1000, 5000, 24, 1214, 0),
        (0, 0, 0, 0, 0),
        (-100, 0, 0, 0, 0),
    ],
)
def test_what_is_carried_forward_is_due_with_the_next_that_asks_for_something(
    unit: int, balance: int, brought: int, applied: int, due: int
) -> None:
    found = totals([LineAmount(unit, STANDARD)], balance_minor=balance, carried_forward_minor=24)
    assert (found.brought_forward_minor, found.credit_applied_minor, found.amount_due_minor) == (brought, applied, due)


def test_a_negative_total_becomes_a_credit_note_with_every_sign_turned() -> None:
    found = totals([LineAmount(-900, STANDARD), LineAmount(300, STANDARD)], balance_minor=500)
    assert found.credit_note
    assert (found.subtotal_minor, found.tax_minor, found.total_minor) == (600, 114, 714)
    assert (found.credit_applied_minor, found.amount_due_minor) == (0, 0)
    assert [(group.base_minor, group.tax_minor) for group in found.tax_groups] == [(600, 114)]


def test_a_document_of_nothing_is_worth_nothing_and_no_credit_note() -> None:
    found = totals([LineAmount(0, STANDARD)], balance_minor=500)
    assert (found.total_minor, found.credit_applied_minor, found.amount_due_minor) == (0, 0, 0)
    assert not found.credit_note


@given(LINES, st.integers(0, 10**9))
def test_every_document_adds_up(lines: list[LineAmount], balance: int) -> None:
    found = totals(lines, balance_minor=balance)
    exclusive = sum(group.tax_minor for group in found.tax_groups if not group.inclusive)
    assert found.total_minor == found.subtotal_minor - found.discount_minor + exclusive >= 0
    assert found.tax_minor == sum(group.tax_minor for group in found.tax_groups)
    bases_and_tax = sum(group.base_minor + group.tax_minor for group in found.tax_groups)
    assert found.total_minor == bases_and_tax
    if found.credit_note:
        assert found.amount_due_minor == found.credit_applied_minor == 0
    else:
        assert found.amount_due_minor == found.total_minor - found.credit_applied_minor >= 0


@given(LINES)
def test_turning_every_line_turns_the_document(lines: list[LineAmount]) -> None:
    found = totals(lines)
    turned = totals(
        [line._replace(amount_minor=-line.amount_minor, discount_minor=-line.discount_minor) for line in lines]
    )
    assert turned.total_minor == found.total_minor
    assert (turned.credit_note or found.credit_note) == (found.total_minor != 0)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_document_holds_at_most_what_every_reader_of_json_keeps(sign: int) -> None:
    whole = [LineAmount(sign * (10**15 - 1), UNTAXED)] * 9
    rest = 2**53 - 1 - sum(abs(line.amount_minor) for line in whole)
    assert totals([*whole, LineAmount(sign * rest, UNTAXED)]).total_minor == 2**53 - 1
    with pytest.raises(Refused) as caught:
        totals([*whole, LineAmount(sign * (rest + 1), UNTAXED)])
    assert caught.value.code == "amount_too_large"
