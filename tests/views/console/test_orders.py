"""Orders that need a second person."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from billing.commands.refund.record import note_facts
from billing.commands.work_item.raise_item import raise_item
from billing.db.clock import wall_now
from billing.flows import refunding, second_person
from billing.kernel.errors import Refused
from billing.kernel.ids import new_id
from billing.kernel.work import WorkKind
from billing.models import Refund
from billing.providers.port import RefundFacts
from billing.rules.permission import MONEY_OF_WORK, Role
from billing.rules.second_person import Limits, needs_second
from tests.flows.company import START
from tests.views.console.conftest import House, Person
from tests.views.console.ordered import ask, limited, orders, paid
from tests.views.console.test_today_and_work import held, items, trail


def test_below_the_amount_an_order_is_carried_out_at_once_and_once(house: House, fay: Person) -> None:
    invoice_id = paid(house)
    ask(fay, f"/invoices/{invoice_id}", "refund", amount="1.90")
    (row,) = orders(house)
    assert (row.status, row.amount_minor, row.decided_by) == ("done", 190, None)
    with house.acme.parts.begin() as session:
        assert session.execute(text("SELECT sum(amount_minor) FROM billing.refund")).scalar_one() == 190
    assert [action for action, _ in trail(house, "fay")] == ["invoice.refund"]
    assert "is done" in fay.reads("/orders")


def test_a_form_of_an_order_that_is_sent_again_with_another_amount_is_no_repeat(house: House, fay: Person) -> None:
    """As after a step back in the browser, which shows the form as it was."""
    page = f"/invoices/{paid(house)}"
    ask(fay, page, "refund", amount="1.90")
    (row,) = orders(house)
    given = {"order": str(row.id), "reason": "an outage"}
    for other in (
        {"action": "refund", "amount": "2.90"},
        {"action": "credit_note", "amount": "1.90"},
    ):
        again = fay.post(f"{page}/do", **given, **other)
        assert again.status_code == 409
        assert "open the page anew" in again.text
    assert [each.amount_minor for each in house.acme.refunds()] == [190]


def test_a_form_that_ends_what_it_is_about_is_sent_twice_and_told_as_done(house: House, fay: Person) -> None:
    """The second answer is the one that is seen."""
    paid(house)
    page = f"/subscriptions/{house.acme.invoices()[0].subscription_id}"
    ask(fay, page, "cancel_refund")
    assert '<p class="told good" role="status">It was ordered already and is done.' in fay.reads(page)
    assert [each.status for each in orders(house)] == ["done"]


def test_what_is_refused_as_it_is_done_is_told_as_a_refusal_beside_what_was_typed(house: House, fay: Person) -> None:
    page = f"/invoices/{paid(house)}"
    answer = ask(fay, page, "refund", amount="99.00", status=409)
    assert re.search(r'told bad" role="alert"><strong>Not done: refund exceeds paid</strong>', answer)
    assert 'value="99.00"' in answer
    # A form that is sent twice by mistake gets the answer of the second one.
    (row,) = orders(house)
    given = {"order": str(row.id), "action": "refund", "amount": "99.00", "reason": "an outage"}
    again = fay.post(f"{page}/do", **given).text
    assert re.search(r'told bad" role="alert">.*at most 11.90 EUR can go back', again)
    # What is mended on that page is another order.
    assert f'name="order" value="{row.id}"' not in again
    assert row.status == "refused"
    assert "told good" not in fay.reads(page)


def test_what_is_refused_once_it_is_approved_is_told_as_a_refusal(house: House, fay: Person) -> None:
    limited(house, "5")
    page = f"/invoices/{paid(house)}"
    fay, max_ = house.person("fay", Role.FINANCE), house.person("max", Role.ADMIN)
    for _ in range(2):
        ask(fay, page, "refund", amount="11.90")
    first, second = orders(house)
    assert max_.post(f"/orders/{first.id}", decision="approve", reason="looks right").status_code == 303
    answer = max_.post(f"/orders/{second.id}", decision="approve", reason="looks right")
    assert (answer.status_code, "refund exceeds paid" in answer.text) == (409, True)
    assert [row.status for row in orders(house)] == ["done", "refused"]


def test_the_form_of_a_refund_holds_what_can_still_go_back(house: House, fay: Person) -> None:
    invoice_id = paid(house)
    first = re.compile(r'action" value="refund".*?name="amount"[^>]*value="([^"]*)"', re.DOTALL)
    held = first.search(fay.reads(f"/invoices/{invoice_id}"))
    assert held
    ask(fay, f"/invoices/{invoice_id}", "refund", amount="1.90")
    left = first.search(fay.reads(f"/invoices/{invoice_id}"))
    assert left
    assert (held[1], left[1]) == ("11.90", "10.00")


def test_above_it_another_person_approves_and_never_the_same(house: House) -> None:
    limited(house, "5")
    invoice_id = paid(house)
    fay, max_, vera, oli = (house.person(name, role) for name, role in (
        ("fay", Role.FINANCE), ("max", Role.ADMIN), ("vera", Role.VIEWER), ("oli", Role.OPERATOR)))  # fmt: skip
    ask(fay, f"/invoices/{invoice_id}", "refund", amount="11.90")
    (row,) = orders(house)
    assert row.status == "waiting"
    page = fay.reads("/orders")
    assert "Take back" in page
    assert "Approve<" not in page
    # Who approves reads what it is about by its name, not an id.
    assert page.count(">ACME-000001</a>") == 2
    for person, status in ((fay, 409), (vera, 403), (oli, 403)):
        answer = person.post(f"/orders/{row.id}", decision="approve", reason="looks right")
        assert answer.status_code == status
    assert max_.post(f"/orders/{row.id}", decision="approve", reason=" ").status_code == 409
    with house.acme.parts.begin() as session:
        assert session.execute(text("SELECT count(*) FROM billing.refund")).scalar_one() == 0
    assert "11.90 EUR" in max_.reads("/orders")
    assert max_.post(f"/orders/{row.id}", decision="approve", reason="looks right").status_code == 303
    assert "11.90 EUR go back" in max_.reads("/orders")
    again = max_.post(f"/orders/{row.id}", decision="approve", reason="looks right")
    assert (again.status_code, "order not waiting" in again.text) == (409, True)
    with house.acme.parts.begin() as session:
        assert session.execute(text("SELECT sum(amount_minor) FROM billing.refund")).scalar_one() == 1190
    assert trail(house, "fay") == [
        ("order.ask", "an outage"),
        ("invoice.refund", "an outage (approved by max: looks right)"),
    ]
    assert trail(house, "max") == [("order.approve", "looks right")]


def test_money_kept_apart_goes_back_by_an_order_of_finance_above_an_amount_by_two(house: House) -> None:
    limited(house, "5")
    profile = house.acme.customer("one", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    house.acme.subscribe("one", "one-basic")
    house.acme.settle()
    house.acme.pay_by_hand()
    house.acme.pay_behind_our_back(profile)
    house.acme.settle()
    (item,) = items(house)
    fay, max_, oli = (house.person(name, role) for name, role in (
        ("fay", Role.FINANCE), ("max", Role.FINANCE), ("oli", Role.OPERATOR)))  # fmt: skip
    page = f"/items/{item.id}"
    assert 'value="refund"' not in oli.reads(page)
    assert oli.post(page, action="refund", reason="paid twice").status_code == 403
    found = re.search(r'name="order" value="([^"]+)"', fay.reads(page))
    assert found
    assert fay.post(page, order=found[1], action="refund", reason="paid twice").status_code == 303
    (row,) = orders(house)
    assert (row.action, row.amount_minor, row.status) == ("refund_kept_apart", 1190, "waiting")
    assert oli.post(f"/orders/{row.id}", decision="approve", reason="looks right").status_code == 403
    assert house.acme.refunds() == []
    assert max_.post(f"/orders/{row.id}", decision="approve", reason="looks right").status_code == 303
    assert [each.amount_minor for each in house.acme.refunds()] == [1190]


def test_the_database_too_refuses_that_one_approves_what_they_asked_for(house: House, fay: Person) -> None:
    ask(fay, f"/invoices/{paid(house)}", "refund", amount="1")
    with pytest.raises(IntegrityError, match="second_is_another"), house.acme.parts.begin() as session:
        session.execute(text("UPDATE billing.operator_order SET decided_by = asked_by"))


def test_an_order_is_declined_taken_back_or_expires_and_then_nobody_approves_it(house: House) -> None:
    limited(house, "0")
    invoice_id = paid(house)
    fay, max_ = house.person("fay", Role.FINANCE), house.person("max", Role.FINANCE)
    for decide in (
        lambda order: max_.post(f"/orders/{order}", decision="decline", reason="too much"),
        lambda order: fay.post(f"/orders/{order}", decision="decline", reason="a mistake"),
        lambda _: _expired(house),
    ):
        ask(fay, f"/invoices/{invoice_id}", "credit_note", amount="1")
        decide(orders(house)[-1].id)
        again = _again(house, fay, f"/invoices/{invoice_id}")
        assert again.status_code == 409
        assert orders(house)[-1].told in again.text
        answer = max_.post(f"/orders/{orders(house)[-1].id}", decision="approve", reason="fine")
        assert answer.status_code == 409
    rows = list(csv.DictReader(io.StringIO(fay.get("/orders?format=csv").text)))
    assert rows[0]["told"] == "nobody approved it in time"
    assert json.loads(rows[0]["facts"]) == {"amounts": {"eur": 100}}
    assert [(row.status, row.told) for row in orders(house)] == [
        ("declined", "declined"),
        ("declined", "taken back"),
        ("expired", "nobody approved it in time"),
    ]
    with house.acme.parts.begin() as session:
        kinds = session.execute(text("SELECT count(*) FROM billing.invoice WHERE kind = 'credit_note'"))
        assert kinds.scalar_one() == 0
        session.execute(text("UPDATE billing.operator_order SET status = 'running', updated_at = '2020-01-01Z'"))
    assert second_person.expire(house.acme.parts) == 3
    assert {row.status for row in orders(house)} == {"unclear"}
    again = _again(house, fay, f"/invoices/{invoice_id}")
    assert (again.status_code, "the audit trail of what it is about says" in again.text) == (409, True)


def _again(house: House, person: Person, subject: str) -> Any:
    """The form of the last order, sent once more."""
    id_ = str(orders(house)[-1].id)
    return person.post(f"{subject}/do", order=id_, action="credit_note", amount="1", reason="an outage")


def _expired(house: House) -> None:
    with house.acme.parts.begin() as session:
        session.execute(text("UPDATE billing.operator_order SET expires_at = '2020-01-01Z' WHERE status = 'waiting'"))
    assert second_person.expire(house.acme.parts) == 1


def test_write_offs_and_credits_go_the_same_way(house: House) -> None:
    limited(house, "5")
    house.acme.customer("two", method="pm_card_chargeCustomerFail")
    house.acme.subscribe("two", "two-basic")
    house.acme.settle()
    (invoice,) = house.acme.invoices()
    fay, max_ = house.person("fay", Role.FINANCE), house.person("max", Role.FINANCE)
    ask(fay, f"/invoices/{invoice.id}", "write_off")
    given = {"action": "credit", "currency": "EUR", "reason": "goodwill"}
    place = f"/customers/{invoice.profile_id}/do"
    fay.post(place, order=str(new_id()), amount="4.50", **given)
    # In parts it is no less: what one ordered alone within a day counts together.
    fay.post(place, order=str(new_id()), amount="0.51", source="prepaid", **given)
    for row in orders(house):
        max_.post(f"/orders/{row.id}", decision="approve", reason="seen")
    assert [(row.action, row.status, row.amount_minor, row.decided_by is not None) for row in orders(house)] == [
        ("write_off", "done", 1190, True),
        ("credit", "done", 450, False),
        ("credit", "done", 51, True),
    ]
    assert house.acme.invoices()[0].status == "uncollectible"
    assert (house.acme.account("promotional_credit"), house.acme.account("external_money")) == (450, 51)
    for wrong in ("", "0", "-1", "1.005", "nan", "1e99", "x"):
        answer = fay.post(place, order=str(new_id()), amount=wrong, **given)
        told = "amount out of range" if wrong == "0" else "amount unreadable"
        assert (answer.status_code, told in answer.text, "goodwill" in answer.text) == (409, True, True)
    assert len(orders(house)) == 3


def test_credit_of_a_customer_and_of_work_items_count_together(house: House) -> None:
    limited(house, "5")
    fay = house.person("fay", Role.FINANCE)
    profile = house.acme.customer("two")
    with house.acme.parts.begin() as session:
        item = raise_item(
            session, kind=WorkKind.REFUND_FAILED, subject_type="refund", subject_id=new_id(),
            seller_id=house.acme.seller_id, profile_id=profile, amount_minor=51, currency="eur",
            summary="It could not go back.", error="", safe_actions=["credit", "park"], now=START,
        )  # fmt: skip
    given = {"action": "credit", "currency": "EUR", "reason": "goodwill", "amount": "4.50"}
    fay.post(f"/customers/{profile}/do", order=str(new_id()), **given)
    fay.post(f"/items/{item.id}", order=str(new_id()), action="credit", reason="goodwill")
    fay.post(f"/items/{item.id}", order=str(new_id()), action="park", reason="later")
    assert [(row.action, row.status) for row in orders(house)] == [("credit", "done"), ("work", "waiting")]


@pytest.mark.parametrize(
    ("do", "status"), [*((do, "waiting") for do in sorted(MONEY_OF_WORK)), ("park", "done"), ("retry", "done")]
)
def test_what_was_moved_by_work_items_before_counts_and_their_other_actions_do_not(
    house: House, do: str, status: str
) -> None:
    limited(house, "5")
    fay = house.person("fay", Role.FINANCE)
    profile = house.acme.customer("two")
    given = {"action": "credit", "currency": "EUR", "reason": "goodwill"}
    fay.post(f"/customers/{profile}/do", order=str(new_id()), amount="4.50", **given)
    with house.acme.parts.begin() as session:
        known = "facts || jsonb_build_object('do', CAST(:do AS text))"
        session.execute(text(f"UPDATE billing.operator_order SET action = 'work', facts = {known}"), {"do": do})
    fay.post(f"/customers/{profile}/do", order=str(new_id()), amount="0.51", **given)
    assert [(row.action, row.status) for row in orders(house)] == [("work", "done"), ("credit", status)]


def test_many_at_once_are_those_that_were_asked_for_and_wait_when_much_is_at_stake(house: House) -> None:
    limited(house, "5")
    held(house, "s1", "s2")
    with house.acme.parts.begin() as session:
        session.execute(text("UPDATE billing.work_item SET amount_minor = 300, currency = 'eur'"))
    ada, bob = house.person("ada", Role.OPERATOR), house.person("bob", Role.OPERATOR)
    ada.post("/items", action="park", reason="the vendor is asked", order=str(new_id()))
    (row,) = orders(house)
    assert (row.status, row.facts["amounts"]) == ("waiting", {"eur": 600})
    held(house, "s3")
    with house.acme.parts.begin() as session:
        session.execute(text("UPDATE billing.operator SET role = 'viewer' WHERE name = 'ada'"))
    gone = bob.post(f"/orders/{row.id}", decision="approve", reason="so it is")
    assert (gone.status_code, "asker gone" in gone.text) == (409, True)
    with house.acme.parts.begin() as session:
        session.execute(text("UPDATE billing.operator SET role = 'operator' WHERE name = 'ada'"))
    bob.post(f"/orders/{row.id}", decision="approve", reason="so it is")
    assert "of-s1" in bob.get("/items?status=parked&format=csv").text
    assert [each.status for each in items(house)] == ["parked", "parked", "open"]
    assert "park: 2 changed" in bob.reads("/orders")


def test_limits_are_read_in_main_units_and_by_currency() -> None:
    limits = Limits.of("500,jpy:75000")
    for amounts, second in (
        ({"eur": 50_000}, False),
        ({"eur": 50_001}, True),
        ({"jpy": 75_000}, False),
        ({"jpy": 75_001, "eur": 1}, True),
        ({"kwd": 500_001}, True),
        ({}, False),
    ):
        assert needs_second(amounts, limits) is second
    for wrong in ("x", "500,zzz:1", "-1", "nan"):
        with pytest.raises(Refused):
            Limits.of(wrong)


def test_what_settles_a_failed_refund_is_finances_and_waits_for_a_second_person_above_the_amount(house: House) -> None:
    limited(house, "5")
    refund_id = refunding.refund(house.acme.parts, paid(house)).refund_ids[0]
    with house.acme.parts.begin() as session:
        row = session.get_one(Refund, refund_id, with_for_update=True)
        facts = RefundFacts("re_1", "failed", row.amount_minor, row.currency, row.charge_ref, str(row.id))
        note_facts(session, refund=row, facts=facts, now=START, wall=wall_now(session))
    (item,) = items(house)
    path = f"/items/{item.id}"
    oli, fay, max_ = (house.person(name, role) for name, role in (
        ("oli", Role.OPERATOR), ("fay", Role.FINANCE), ("max", Role.FINANCE)))  # fmt: skip
    assert 'value="park"' in oli.reads(path)
    assert 'value="paid"' not in oli.reads(path)
    given = {"action": "paid", "reason": "transfer 17", "order": str(new_id())}
    for door in (path, "/items"):
        assert oli.post(door, **given, do="1").status_code == 403
    assert "were paid another way" in fay.post(path, **given, **{"try": "1"}).text
    for _ in range(2):
        assert fay.post(path, **given, do="1").status_code == 303
    (order,) = orders(house)
    assert (order.status, items(house)[0].status) == ("waiting", "open")
    assert oli.post(f"/orders/{order.id}", decision="approve", reason="paid").status_code == 403
    assert max_.post(f"/orders/{order.id}", decision="approve", reason="paid").status_code == 303
    assert (orders(house)[0].status, items(house)[0].status) == ("done", "resolved")
    with house.acme.begin() as session:
        assert session.get_one(Refund, refund_id).settled_as == "paid"
