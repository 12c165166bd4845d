"""What a page offers to be done, and with which amount it begins: no more than can be done now."""

from __future__ import annotations

import re

import pytest

from billing.flows import rights
from billing.flows.order import Order
from billing.rules.permission import Role
from billing.validators.subscription import NewItem
from tests.views.console.conftest import House, Person
from tests.views.console.ordered import paid
from tests.views.console.test_acts import WHY, do, owed
from tests.views.console.test_disputed import disputed, lose


@pytest.fixture
def fay(house: House) -> Person:
    return house.person("fay", Role.ADMIN)


def offers(person: Person, page: str) -> set[str]:
    """The acts whose forms that page has."""
    return set(re.findall(r'<form class="orders" [^>]*aria-label="([^"]+)"', person.reads(page)))


def first(person: Person, page: str, act: str) -> str:
    """What the field of that act's amount holds at first."""
    (form,) = re.findall(rf'<form [^>]*aria-label="{act}".*?</form>', person.reads(page), re.DOTALL)
    return str(re.findall(r'name="amount" value="([^"]*)"', form)[0])


def test_a_refund_and_a_note_begin_with_what_is_left_and_are_not_offered_of_nothing(house: House, fay: Person) -> None:
    page = f"/invoices/{paid(house)}"
    assert first(fay, page, "Refund") == "11.90"
    do(fay, page, "refund", amount="4.00")
    house.acme.settle()
    assert first(fay, page, "Refund") == "7.90"
    assert offers(fay, page) >= {"Refund", "Credit note"}
    # What a note has taken a part of is not issued anew.
    assert "Issue anew" not in offers(fay, page)
    do(fay, page, "refund", amount="7.90")
    house.acme.settle()
    assert not offers(fay, page) & {"Refund", "Credit note", "Issue anew"}


def test_what_came_another_way_is_credited_and_not_refunded_through_the_provider(house: House, fay: Person) -> None:
    page = f"/invoices/{owed(house).id}"
    do(fay, page, "mark_paid", amount="11.90", reference="bank 7")
    assert "Refund" not in offers(fay, page)
    assert offers(fay, page) >= {"Credit note", "Issue anew"}


def test_a_note_of_a_paid_invoice_begins_with_what_can_be_credited(house: House, fay: Person) -> None:
    page = f"/invoices/{paid(house)}"
    assert first(fay, page, "Credit note") == "11.90"
    do(fay, page, "credit_note", amount="4.00")
    assert first(fay, page, "Credit note") == "7.90"
    assert first(fay, page, "Mark paid") == "", "nothing is owed: what came is for the operator to say"


def test_what_a_lost_dispute_has_taken_is_what_the_form_of_other_money_begins_with(house: House, fay: Person) -> None:
    invoice, dispute = disputed(house)
    lose(house, dispute)
    assert first(fay, f"/invoices/{invoice}", "Mark paid") == "11.90"


def test_a_cancel_with_a_refund_is_offered_where_something_was_paid(house: House, fay: Person) -> None:
    paid_id = paid(house)
    (subscription,) = {each.subscription_id for each in house.acme.invoices() if each.id == paid_id}
    assert "Cancel now and refund" in offers(fay, f"/subscriptions/{subscription}")
    (open_,) = [each for each in (owed(house), *house.acme.invoices())[1:] if each.id != paid_id]
    assert "Cancel now and refund" not in offers(fay, f"/subscriptions/{open_.subscription_id}")
    assert "Cancel now" in offers(fay, f"/subscriptions/{open_.subscription_id}")
    house.acme.customer("three")
    trial = house.acme.begin_subscription("three", "tries", NewItem("basic"), trial_days=9)
    assert "Cancel now and refund" not in offers(fay, f"/subscriptions/{trial}")


def test_credit_is_paid_out_of_what_there_is(house: House, fay: Person) -> None:
    profile_id = house.acme.customer("one")
    page = f"/customers/{profile_id}"
    assert "Give credit" in offers(fay, page)
    assert "Pay credit out" not in offers(fay, page)
    do(fay, page, "credit", amount="3.50", currency="eur")
    assert first(fay, page, "Pay credit out") == "3.50"
    assert '<option value="eur">3.50 EUR</option>' in fay.reads(page)
    do(fay, page, "credit", amount="450", currency="jpy")
    # Which of them is for the operator to say.
    assert first(fay, page, "Pay credit out") == ""


def test_a_subscription_offers_what_its_state_lets_be_done(house: House, fay: Person) -> None:
    house.acme.customer("one", method="pm_card_chargeCustomerFail")
    item = NewItem("basic")
    waits = house.acme.begin_subscription("one", "waits", item, first_payment=True)
    tries = house.acme.begin_subscription("one", "tries", item, trial_days=9)
    assert offers(fay, f"/subscriptions/{waits}") == set()
    assert "Pause" not in offers(fay, f"/subscriptions/{tries}")
    house.acme.customer("two")
    paused = house.acme.subscribe("two", "paused")
    house.acme.settle()
    do(fay, f"/subscriptions/{paused}", "pause")
    page = fay.reads(f"/subscriptions/{paused}")
    assert "<strong>Other items</strong>: resume it first" in page
    assert "Other items" not in offers(fay, f"/subscriptions/{paused}")


def test_of_who_was_forgotten_nothing_is_offered_that_needs_a_person(house: House, fay: Person) -> None:
    invoice_id = paid(house)
    (profile_id,) = {each.profile_id for each in house.acme.invoices()}
    page = f"/customers/{profile_id}"
    do(fay, re.findall(r'href="/console(/subscriptions/[^"]+)"', fay.reads(page))[0], "cancel_refund")
    house.acme.settle()
    rights.erase(house.acme.parts, profile_id, order=Order("root", WHY))
    assert "<dt>Forgotten</dt>" in fay.reads(page)
    assert offers(fay, page) == {"Stop charging", "Stop issuing"}
    assert "each look is recorded" not in fay.reads(page)
    # The document stays, and can still be opened; it is issued anew to nobody.
    assert "Open the document" in fay.reads(f"/invoices/{invoice_id}")
    assert "Issue anew" not in offers(fay, f"/invoices/{invoice_id}")
