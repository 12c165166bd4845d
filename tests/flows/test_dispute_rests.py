"""Disputes that give back more or less than they took: in part, later, or at another rate of exchange."""

from __future__ import annotations

import pytest

from billing.flows import disputing, refunding
from billing.flows.external_money import mark_paid
from billing.flows.order import Order
from billing.models import Invoice
from tests.flows.company import Company
from tests.flows.disputes import accused, books, end, open_dispute, show, the_dispute
from tests.flows.refunds import paid_invoice

ORDER = Order(actor="mara", reason="the bank's letter")


@pytest.fixture
def paid(acme: Company) -> Invoice:
    """1190 = 1000 and 19 %, paid by card."""
    return paid_invoice(acme)


@pytest.mark.parametrize("back", [1150, 1230])
@pytest.mark.parametrize("before", ["needs_response", "lost"])
def test_a_dispute_won_at_another_rate_leaves_the_rest_as_a_difference_of_exchange(
    acme: Company, paid: Invoice, before: str, back: int
) -> None:
    ref = open_dispute(acme, amount=1305, currency="usd")
    show(acme, ref, status=before)
    show(acme, ref, status="won", reinstated_minor=back)
    assert books(acme) == {"provider_clearing": back, "exchange_differences": 1190 - back}
    show(acme, ref, status="won", reinstated_minor=back)
    assert (books(acme)["exchange_differences"], accused(acme)) == (1190 - back, [])


def test_what_a_dispute_that_is_won_in_part_does_not_give_back_is_lost_until_it_comes(
    acme: Company, paid: Invoice
) -> None:
    ref = open_dispute(acme)
    show(acme, ref, status="won", reinstated_minor=0)
    assert books(acme) == {"disputes": 1190}
    show(acme, ref, status="won", reinstated_minor=1000)
    assert (books(acme), accused(acme)) == ({"provider_clearing": 1000, "write_off": 190}, [])
    show(acme, ref, status="won", reinstated_minor=1190)
    assert (books(acme), accused(acme)) == ({"provider_clearing": 1190}, [])


def test_what_comes_back_of_a_loss_lowers_its_debt(acme: Company, paid: Invoice) -> None:
    ref = open_dispute(acme)
    end(acme, ref, "lost")
    show(acme, ref, status="lost", reinstated_minor=200)
    assert (the_dispute(acme).reopened_minor, books(acme)) == (990, {"provider_clearing": 200, "receivable": 990})
    assert accused(acme) == []
    show(acme, ref, status="won", reinstated_minor=1190)
    assert (the_dispute(acme).reopened_minor, books(acme)) == (0, {"provider_clearing": 1190})
    assert accused(acme) == []


def test_what_comes_back_of_a_loss_lowers_its_debt_by_no_more_than_is_still_owed(acme: Company, paid: Invoice) -> None:
    ref = open_dispute(acme)
    end(acme, ref, "lost")
    mark_paid(acme.parts, paid.id, amount_minor=500, reference="by bank")
    show(acme, ref, status="lost", reinstated_minor=800)
    assert (the_dispute(acme).reopened_minor, the_dispute(acme).owed_minor) == (500, 0)
    assert books(acme) == {"provider_clearing": 800, "write_off": -110}, "690 were owed, and 110 more came back"
    assert accused(acme) == []


def test_what_comes_back_after_a_loss_was_written_off_lowers_what_was_lost(acme: Company, paid: Invoice) -> None:
    ref = open_dispute(acme)
    end(acme, ref, "lost")
    disputing.write_off_loss(acme.parts, the_dispute(acme).id, order=ORDER)
    show(acme, ref, status="lost", reinstated_minor=200)
    assert (books(acme), accused(acme)) == ({"provider_clearing": 200, "write_off": 990}, [])


def test_a_loss_in_another_currency_reopens_no_more_than_its_own_charge(acme: Company) -> None:
    acme.customer("a1", method=None)
    acme.subscribe("a1", "s1")
    acme.settle()
    (invoice,) = acme.invoices()
    mark_paid(acme.parts, invoice.id, amount_minor=1000, reference="by bank")
    acme.give_method(invoice.profile_id, "pm_card_visa")
    acme.settle()
    end(acme, open_dispute(acme, amount=210, currency="usd"), "lost")
    assert (the_dispute(acme).reopened_minor, books(acme)) == (190, {"receivable": 190})
    assert acme.violations() == ()


def test_what_came_back_before_the_loss_is_heard_of_is_not_owed_again(acme: Company, paid: Invoice) -> None:
    """Whether both are told one by one or, as after an outage, together."""
    ref = open_dispute(acme)
    show(acme, ref, status="lost", reinstated_minor=200)
    assert (the_dispute(acme).reopened_minor, books(acme)) == (990, {"provider_clearing": 200, "receivable": 990})
    show(acme, ref, status="won", reinstated_minor=1190)
    assert (the_dispute(acme).reopened_minor, books(acme)) == (0, {"provider_clearing": 1190})
    assert accused(acme) == []


def test_what_was_paid_won_and_is_lost_again_after_an_appeal_is_owed_again(acme: Company, paid: Invoice) -> None:
    """What was paid meanwhile had gone into the balance when it was won: of this loss nobody has paid anything."""
    ref = open_dispute(acme)
    end(acme, ref, "lost")
    mark_paid(acme.parts, paid.id, amount_minor=1190, reference="by bank")
    show(acme, ref, status="won", reinstated_minor=1190)
    show(acme, ref, status="lost", withdrawn_minor=2380, reinstated_minor=1190)
    assert (the_dispute(acme).reopened_minor, the_dispute(acme).decision) == (1190, None)
    assert books(acme) == {"receivable": 1190}
    assert (acme.account("customer_credit"), acme.account("external_money")) == (-1190, 1190)
    assert [each.kind for each in acme.work_items() if each.closed_at is None] == ["dispute_lost"]
    assert accused(acme) == []


def test_a_loss_of_what_had_all_gone_back_is_lost_no_more_once_it_is_won(acme: Company, paid: Invoice) -> None:
    """Nobody decided anything, for nothing was owed: nobody has to book it back either."""
    refunding.refund(acme.parts, paid.id)
    acme.settle()
    ref = open_dispute(acme, amount=1190)
    end(acme, ref, "lost")
    assert books(acme) == {"provider_clearing": -1190, "write_off": 1190}
    for back, there in ((0, {"provider_clearing": -1190, "disputes": 1190}), (1000, _in_part(190)), (1190, {})):
        show(acme, ref, status="won", reinstated_minor=back)
        assert (books(acme), accused(acme)) == (there, [])
    assert the_dispute(acme).decision is None
    assert [each.kind for each in acme.work_items() if each.closed_at is None] == []
    show(acme, ref, status="lost", reinstated_minor=0)
    assert accused(acme) == []


def _in_part(rest: int) -> dict[str, int]:
    return {"provider_clearing": -rest, "write_off": rest}


def test_what_was_written_off_and_then_paid_whole_leaves_nothing_to_a_person_when_it_is_won(
    acme: Company, paid: Invoice
) -> None:
    ref = open_dispute(acme)
    end(acme, ref, "lost")
    disputing.write_off_loss(acme.parts, the_dispute(acme).id, order=ORDER)
    mark_paid(acme.parts, paid.id, amount_minor=1190, reference="by bank")
    for _ in range(2):
        show(acme, ref, status="won", reinstated_minor=1190)
        assert (books(acme), accused(acme)) == ({"provider_clearing": 1190}, [])
    assert acme.credit(paid.profile_id) == 1190
    assert [each.kind for each in acme.work_items() if each.closed_at is None] == []


@pytest.mark.parametrize("mixed", [False, True])
def test_a_loss_that_is_regained_in_parts_is_regained_once(acme: Company, paid: Invoice, *, mixed: bool) -> None:
    """A part was paid and the rest written off when it was won; that rest is paid after all."""
    ref = open_dispute(acme)
    end(acme, ref, "lost")
    mark_paid(acme.parts, paid.id, amount_minor=190, reference="by bank")
    disputing.write_off_loss(acme.parts, the_dispute(acme).id, order=ORDER)
    show(acme, ref, status="won", reinstated_minor=1190, mixed=mixed)
    assert books(acme) == {"provider_clearing": 1190, "disputes": -1000, "write_off": 1000}
    mark_paid(acme.parts, paid.id, amount_minor=1000, reference="by bank, too")
    for _ in range(2):
        show(acme, ref, status="won", reinstated_minor=1190, mixed=mixed)
        assert (books(acme), accused(acme)) == ({"provider_clearing": 1190}, [])
    assert acme.credit(paid.profile_id) == 1190


def test_work_of_a_late_win_is_over_once_it_is_lost_again_by_an_appeal(acme: Company, paid: Invoice) -> None:
    ref = open_dispute(acme)
    end(acme, ref, "lost")
    disputing.write_off_loss(acme.parts, the_dispute(acme).id, order=ORDER)
    show(acme, ref, status="won", reinstated_minor=1190)
    assert [each.kind for each in acme.work_items() if each.closed_at is None] == ["dispute_won_late"]
    show(acme, ref, status="lost", withdrawn_minor=2380, reinstated_minor=1190)
    assert [each.kind for each in acme.work_items() if each.closed_at is None] == []
    assert (books(acme), accused(acme)) == ({"write_off": 1190}, [])
