"""What can be done about one thing: tried first, done by who may, and written down as the command line does it."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from billing.flows import changing, delivery, endpoints
from billing.flows.order import Order
from billing.kernel.ids import new_id
from billing.models import OperatorOrder
from billing.rules.permission import Role
from billing.validators.endpoint import NewEndpoint
from billing.validators.subscription import NewItem
from tests.views.console.conftest import House, Person
from tests.views.console.ordered import limited, orders, paid
from tests.views.console.test_today_and_work import trail

WHY = "they telephoned"


@pytest.fixture
def fay(house: House) -> Person:
    return house.person("fay", Role.ADMIN)


def do(person: Person, page: str, action: str, *, trying: bool = False, **given: str) -> str:
    """Use the form of that page; what it says afterwards."""
    form = {"order": str(new_id()), "action": action, "reason": WHY, **given, **({"try": "1"} if trying else {})}
    answer = person.post(f"{page}/do", **form)
    if trying or answer.status_code == 409:
        return str(answer.text)
    assert answer.status_code == 303, answer.text
    return person.reads(page)


def owed(house: House, account: str = "two") -> Any:
    """An open invoice of 11.90 EUR, whose charge was declined."""
    house.acme.customer(account, method="pm_card_chargeCustomerFail")
    house.acme.subscribe(account, f"{account}-basic")
    house.acme.settle()
    return house.acme.invoices()[-1]


def counted(house: House, table: str, where: str = "true") -> int:
    with house.acme.parts.begin() as session:
        return int(session.execute(text(f"SELECT count(*) FROM billing.{table} WHERE {where}")).scalar_one())


def test_an_open_invoice_is_voided_after_a_try_that_changes_nothing(house: House, fay: Person) -> None:
    page = f"/invoices/{owed(house).id}"
    assert "Tried, nothing was changed" in do(fay, page, "void", trying=True)
    assert (house.acme.invoices()[0].status, orders(house), trail(house, "fay")) == ("open", [], [])
    assert "It is void" in do(fay, page, "void")
    assert trail(house, "fay") == [("invoice.void", WHY)]
    assert 'aria-label="Void"' not in fay.reads(page)


def test_money_that_came_another_way_is_noted_in_parts_with_its_reference(house: House, fay: Person) -> None:
    page = f"/invoices/{owed(house).id}"
    assert "not a time" in do(fay, page, "mark_paid", amount="5", received_at="yesterday")
    given = {"reference": "bank 17", "received_at": "2026-01-30 09:00:00 UTC"}
    assert "6.90 EUR are still owed" in do(fay, page, "mark_paid", amount="5", **given)
    assert "it is paid" in do(fay, page, "mark_paid", amount="6.90", reference="bank 18")
    assert counted(house, "external_payment", "reference = 'bank 17' AND received_at = '2026-01-30 09:00Z'") == 1
    assert "say what the bank calls the payment" in do(fay, page, "mark_paid", amount="1")
    assert "1.00 EUR are credit" in do(fay, page, "mark_paid", amount="1", reference="bank 19")
    assert trail(house, "fay") == [("invoice.mark_paid", WHY)] * 3


def test_an_open_invoice_is_paid_out_of_the_balance(house: House, fay: Person) -> None:
    invoice = owed(house)
    page = f"/invoices/{invoice.id}"
    assert 'aria-label="Pay by credit"' not in fay.reads(page), "there is none"
    do(fay, f"/customers/{invoice.profile_id}", "credit", amount="5", currency="eur")
    shown = fay.reads(page)
    assert "balance holds 5.00 EUR" in shown
    form = re.search(r'<form[^>]*aria-label="Pay by credit".*?</form>', shown, re.DOTALL)
    assert form is not None
    assert 'value="5.00"' in form[0], "no more than there is"
    assert "the balance holds 5.00 EUR, and 11.90 EUR are owed" in do(fay, page, "apply_credit", amount="11.90")
    assert "5.00 EUR of the balance pay it; 6.90 EUR are still owed" in do(fay, page, "apply_credit", amount="5")
    assert (house.acme.credit(invoice.profile_id), house.acme.invoices()[0].amount_remaining_minor) == (0, 690)
    assert trail(house, "fay")[-1] == ("invoice.apply_credit", WHY)


def test_an_amount_with_a_comma_for_the_point_is_refused_and_the_currency_stands_beside_the_field(
    house: House, fay: Person
) -> None:
    page = f"/invoices/{owed(house).id}"
    told = do(fay, page, "credit_note", amount="4,50")
    assert "amount unreadable" in told
    assert "write 4.50 or 1,234.50 (EUR); the point separates the cents" in told
    assert 'value="4,50"' in told
    assert (house.acme.invoices()[0].amount_remaining_minor, orders(house)) == (1190, [])
    forms = re.findall(r'<form[^>]*aria-label="(?:Credit note|Mark paid)".*?</form>', fay.reads(page), re.DOTALL)
    assert [re.findall(r"<label>Amount in EUR", form) for form in forms] == [["<label>Amount in EUR"]] * 2


def test_an_invoice_is_issued_anew(house: House, fay: Person) -> None:
    told = do(fay, f"/invoices/{paid(house)}", "replace")
    assert re.search(r"ACME-000002 takes its place: 11\.90 EUR are carried over", told)


def test_an_order_whose_amount_is_another_by_the_time_it_is_approved_is_refused(house: House, fay: Person) -> None:
    limited(house, "5")
    fay, max_ = house.person("fay", Role.FINANCE), house.person("max", Role.FINANCE)
    page = f"/invoices/{owed(house).id}"
    assert "It would wait for a second person" in do(fay, page, "void", trying=True)
    assert "It waits for a second person" in do(fay, page, "void")
    do(fay, page, "mark_paid", amount="2")
    max_.post(f"/orders/{orders(house)[0].id}", decision="approve", reason="seen")
    assert [(row.action, row.status) for row in orders(house)] == [("void", "refused"), ("mark_paid", "done")]
    assert house.acme.invoices()[0].status == "open"


def test_other_items_are_shown_to_the_cent_and_done_exactly_so(house: House, fay: Person) -> None:
    paid(house)
    house.acme.price("large", 3000)
    page, rows = f"/subscriptions/{the_subscription(house)}", {"price": ["large", ""], "quantity": ["2", ""]}
    given = {"when": "now", "proration": "invoice_now", "csrf": fay.csrf, **rows}
    shown = fay.client.post(f"/console{page}/preview", data=given)
    assert shown.status_code == 200, shown.text
    due = re.findall(r"<dt[^>]*>To pay</dt><dd[^>]*>([^<]+)</dd>", shown.text)[0]
    token = re.search(r'name="token" value="([^"]+)"', shown.text)
    assert token
    assert trail(house, "fay") == []
    assert "it is as the preview showed" in do(fay, page, "change", token=token[1]).lower()
    newest = house.acme.invoices()[-1]
    assert f"{newest.amount_due_minor / 100:.2f} EUR" == due
    assert trail(house, "fay") == [("subscription.apply_preview", WHY)]
    # What was shown is done once: afterwards it would come to something else.
    assert "has changed since the preview" in do(fay, page, "change", token=token[1])
    wrong = fay.client.post(f"/console{page}/preview", data=given | {"price": ["nothing"], "quantity": ["1"]})
    assert (wrong.status_code, 'value="nothing"' in wrong.text) == (409, True)
    wrong = fay.client.post(f"/console{page}/preview", data=given | {"quantity": ["many"]})
    assert (wrong.status_code, "number unreadable" in wrong.text) == (409, True)


def the_subscription(house: House) -> UUID:
    with house.acme.parts.begin() as session:
        return UUID(str(session.execute(text("SELECT id FROM billing.subscription")).scalar_one()))


def test_a_cancel_that_gives_much_back_needs_a_second_person(house: House) -> None:
    limited(house, "5")
    paid(house)
    fay, max_ = house.person("fay", Role.FINANCE), house.person("max", Role.FINANCE)
    page = f"/subscriptions/{the_subscription(house)}"
    shown = fay.post(f"{page}/cancel", unused="balance").text
    assert "11.90 EUR are given back" in shown
    token = re.search(r'name="token" value="([^"]+)"', shown)
    assert token
    assert "It waits for a second person" in do(fay, page, "change", token=token[1])
    assert "It waits for a second person" in do(fay, page, "cancel_refund")
    change, cancel = orders(house)
    assert (change.amount_minor, cancel.amount_minor) == (1190, 1190)
    max_.post(f"/orders/{change.id}", decision="approve", reason="seen")
    assert ">canceled<" in fay.reads(page)
    max_.post(f"/orders/{cancel.id}", decision="approve", reason="seen")
    assert [row.status for row in orders(house)] == ["done", "refused"]


def test_what_was_previewed_of_one_subscription_is_not_ordered_of_another(house: House) -> None:
    limited(house, "5")
    paid(house)
    shown_of = the_subscription(house)
    house.acme.customer("two")
    other = house.acme.subscribe("two", "two-basic")
    house.acme.settle()
    fay, max_ = house.person("fay", Role.FINANCE), house.person("max", Role.FINANCE)
    token = re.search(
        r'name="token" value="([^"]+)"', fay.post(f"/subscriptions/{shown_of}/cancel", unused="balance").text
    )
    assert token
    assert "preview this one" in do(fay, f"/subscriptions/{other}", "change", token=token[1])
    assert orders(house) == []
    do(fay, f"/subscriptions/{shown_of}", "change", token=token[1])
    with house.acme.parts.begin() as session:
        session.execute(text("UPDATE billing.operator_order SET subject_id = :other"), {"other": other})
    max_.post(f"/orders/{orders(house)[0].id}", decision="approve", reason="seen")
    assert [row.status for row in orders(house)] == ["refused"]
    assert house.acme.subscription(shown_of).status == "active"


def test_a_cancel_that_gives_more_back_than_was_approved_is_ordered_anew(house: House) -> None:
    limited(house, "5")
    paid(house)
    fay, max_ = house.person("fay", Role.FINANCE), house.person("max", Role.FINANCE)
    assert "It waits for a second person" in do(fay, f"/subscriptions/{the_subscription(house)}", "cancel_refund")
    with house.acme.parts.begin() as session:
        changing.change(house.acme.parts, session, the_subscription(house), items=[NewItem("basic", 9)])
    house.acme.settle()
    (order,) = orders(house)
    max_.post(f"/orders/{order.id}", decision="approve", reason="seen")
    (order,) = orders(house)
    assert (order.status, "order changed" in str(order.told)) == ("refused", True)
    assert house.acme.refunds() == []


def test_a_subscription_is_paused_resumed_and_its_cancel_taken_back(house: House) -> None:
    paid(house)
    oli, page = house.person("oli", Role.OPERATOR), f"/subscriptions/{the_subscription(house)}"
    assert ">paused<" in do(oli, page, "pause")
    assert ">active<" in do(oli, page, "resume")
    assert "Take the cancel back" in do(oli, page, "cancel_at_the_end")
    assert "Take the cancel back" not in do(oli, page, "uncancel")
    assert [action for action, _ in trail(house, "oli")] == [
        "subscription.pause", "subscription.resume", "subscription.cancel.period_end", "subscription.uncancel",
    ]  # fmt: skip
    # Money is not theirs.
    assert oli.post(f"{page}/do", action="cancel_refund", reason=WHY).status_code == 403
    assert oli.post(f"{page}/preview", price="x").status_code == 403


@pytest.mark.parametrize("kind", ["collect", "issue"])
def test_a_customer_whom_there_is_not_has_no_brake(house: House, fay: Person, kind: str) -> None:
    for action in (f"{kind}_stop", f"{kind}_start"):
        for tried in ({}, {"try": "1"}):
            answer = fay.post(f"/customers/{new_id()}/do", action=action, reason=WHY, **tried)
            assert answer.status_code == 404, action
            assert "There is no such page" in answer.text


def test_brakes_are_pulled_for_everything_and_for_a_customer(house: House) -> None:
    oli, profile = house.person("oli", Role.OPERATOR), owed(house).profile_id
    page = f"/customers/{profile}"
    assert "Start charging" in do(oli, page, "collect_stop")
    assert "Start charging" not in do(oli, page, "collect_start")
    form = {"what": "issue.stop", "seller": "*", "reason": "wrong tax rates"}
    nobody = oli.post("/brakes", **{**form, "seller": ""})
    assert (nobody.status_code, "choose a seller, or everything" in nobody.text) == (409, True)
    assert "Tried, nothing was changed" in oli.post("/brakes", **form, **{"try": "1"}).text
    assert "Nothing is stopped" in oli.reads("/brakes")
    assert oli.post("/brakes", **form).status_code == 303
    assert "wrong tax rates" in oli.reads("/brakes")
    # Of the first page, and of the customer's.
    assert "Issuing is stopped for everything" in oli.reads("/")
    assert "wrong tax rates" in oli.reads(page)
    oli.post("/brakes", what="issue.start", seller="*", reason="mended")
    assert "Nothing is stopped" in oli.reads("/brakes")
    assert oli.post("/brakes", what="issue.start", seller="nobody", reason="x").status_code == 409
    assert oli.post("/brakes", what="issue", seller="*", reason="x").status_code == 409
    choices = re.findall(r'<option value="([^"]*)"[^>]*>([^<]+)</option>', oli.reads("/brakes").partition("Seller")[2])
    assert choices == [("", "choose"), ("*", "everything"), ("ACME", "ACME")]
    assert house.person("vera", Role.VIEWER).post("/brakes", **form).status_code == 403


def test_an_endpoint_is_tested_switched_rotated_and_hears_again_of_a_range_and_of_one_event(
    house: House, fay: Person
) -> None:
    acme = house.acme
    new = NewEndpoint(code="shop", target="https://shop.invalid/hooks", topics=("invoice.*",))
    made = endpoints.add(acme.parts, seller_id=acme.seller_id, new=new, order=Order("root", "the shop wants to hear"))
    page, oli = f"/endpoints/{made.done.subject_id}", house.person("oli", Role.OPERATOR)
    paid(house)
    delivery.sweep(acme.parts)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.delivery SET status = 'dead', next_try_at = NULL, closed_at = now()"))
        events = session.execute(text("SELECT outbox_id FROM billing.delivery ORDER BY outbox_id")).scalars().all()
    one = f"/outgoing/{events[0]}"
    assert "is delivered again" in do(oli, one, "replay", endpoint=str(made.done.subject_id)).lower()
    assert counted(house, "delivery", "status = 'waiting'") == 1
    assert "endpoint not found" in do(oli, one, "replay", endpoint="shop")
    assert "events are delivered again" in do(oli, page, "replay", **{"from": "2026-01-01", "to": "2027-01-01"})
    assert counted(house, "delivery", "status = 'waiting'") == len(events) > 1
    assert "range empty" in do(oli, page, "replay", **{"from": "2026-01-02", "to": "2026-01-02"})
    assert "would be sent" in do(oli, page, "test", trying=True)
    assert ">off<" in do(oli, page, "off")
    assert ">on<" in do(oli, page, "on")
    assert oli.post(f"{page}/rotate", keep_hours="24", reason=WHY).status_code == 403
    told = fay.post(f"{page}/rotate", keep_hours="24", reason=WHY)
    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", told.text)
    assert secret
    assert secret[0] != made.secret
    assert secret[0] not in fay.reads(page)
    again = fay.post(f"{page}/rotate", keep_hours="24", reason=WHY)
    assert (again.status_code, "endpoint secret rotating" in again.text) == (409, True)
    assert fay.post(f"{page}/rotate", keep_hours="-1", reason=WHY).status_code == 409


def test_an_event_that_came_in_is_handled_anew_and_the_provider_asked(house: House, fay: Person) -> None:
    paid(house)
    with house.acme.parts.begin() as session:
        event = session.execute(text("SELECT id FROM billing.provider_event LIMIT 1")).scalar_one()
        payment = session.execute(text("SELECT id FROM billing.payment")).scalar_one()
    assert "handled anew" in do(fay, f"/events/{event}", "replay")
    # An attempt that has ended offers nothing; asked for all the same, it is left alone.
    assert "Ask the provider" not in fay.reads(f"/payments/{payment}")
    assert "nothing was asked" in do(fay, f"/payments/{payment}", "resolve")
    assert trail(house, "fay") == [("event.replay", WHY)]


def test_what_a_page_does_not_have_is_no_act_of_it(house: House, fay: Person) -> None:
    page = f"/invoices/{paid(house)}"
    for action in ("credit", "rotate", "", "work"):
        assert fay.post(f"{page}/do", action=action, reason=WHY, order=str(new_id())).status_code == 409
    assert fay.post(f"{page}/do", action="refund", reason=WHY, amount="1").status_code == 409
    assert fay.post(f"/invoices/{new_id()}/do", action="refund", reason=WHY, order=str(new_id())).status_code == 404
    assert fay.client.post(f"/console{page}/do", data={"action": "refund"}).status_code == 403
    with house.acme.begin() as session:
        assert session.query(OperatorOrder).count() == 0


def test_what_is_carried_forward_is_shown_and_written_off(house: House, fay: Person) -> None:
    house.acme.price("small", 20)
    profile_id = house.acme.customer("one")
    house.acme.begin_subscription("one", "s1", NewItem("small"))
    house.acme.settle()
    page = f"/customers/{profile_id}"
    assert "Carried forward to the next invoice" in fay.reads(page)
    assert "Carried forward to the next invoice" in fay.reads(f"/invoices/{house.acme.invoices()[0].id}")
    assert "0.24 EUR are not asked for any more" in do(fay, page, "carried_forward_write_off")
    assert "Carried forward" not in fay.reads(page)
    assert (house.acme.account("carried_forward"), house.acme.account("write_off")) == (0, 24)
