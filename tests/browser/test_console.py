"""The console in a real browser: come in by keyboard, act on an item, search, have an order approved."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
from werkzeug.serving import make_server

from tests.browser.chromium import PHONE
from tests.browser.operators import come_in, looks_right, watched
from tests.flows.company import Company
from tests.views.console.conftest import House, served
from tests.views.console.test_today_and_work import held, items

pytestmark = [pytest.mark.xdist_group("browser")]


@pytest.fixture
def house(acme: Company) -> House:
    return House(acme, served(acme.parts, billing_second_person_above="5"))


@pytest.fixture
def address(house: House) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, house.app, threaded=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/console/"
    server.shutdown()
    thread.join(5)
    server.server_close()


def test_two_operators_at_work(chromium: Any, house: House, address: str) -> None:
    house.acme.customer("one")
    house.acme.subscribe("one", "one-basic")
    house.acme.settle()
    (item,) = held(house, "s1")
    number = house.acme.invoices()[0].number
    complaints: list[str] = []
    contexts = [chromium.new_context(viewport=PHONE), chromium.new_context(viewport={"width": 1280, "height": 900})]
    ada, bob = (watched(context, complaints) for context in contexts)
    come_in(ada, house.acme.parts, address, "ada")
    # A skip link is the first thing that the keyboard finds, and the page is no wider than the telephone.
    ada.keyboard.press("Tab")
    assert ada.evaluate("document.activeElement.textContent") == "Skip to content"
    looks_right(ada, PHONE["width"])
    ada.goto(f"{address}items")
    ada.get_by_label("Kind").select_option("task_failed")
    ada.get_by_text("No such work item").wait_for()
    ada.get_by_label("Kind").select_option("subscription_not_billed")
    ada.get_by_role("link", name="subscription not billed").click()
    ada.get_by_label("Action").select_option("park")
    ada.get_by_label("Reason").fill("the vendor is asked")
    ada.get_by_role("button", name="Do it").click()
    ada.get_by_text("It is parked and waits by decision").wait_for()
    assert [(each.id, each.status) for each in items(house)] == [(item.id, "parked")]
    ada.get_by_role("searchbox").fill(str(number))
    ada.get_by_role("searchbox").press("Enter")
    ada.get_by_role("heading", name=str(number)).wait_for()
    looks_right(ada, PHONE["width"])
    ada.locator("summary", has_text="Refund").click()
    refund = ada.get_by_role("form", name="Refund")
    refund.get_by_label("Amount").fill("11.90")
    refund.get_by_label("Reason").fill("an outage of a day")
    refund.get_by_role("button", name="Refund").click()
    ada.get_by_text("It waits for a second person").wait_for()
    come_in(bob, house.acme.parts, address, "bob")
    bob.get_by_role("link", name="Orders").click()
    bob.get_by_label("Reason").fill("agreed")
    bob.get_by_role("button", name="Approve").click()
    bob.get_by_role("status").get_by_text("11.90 EUR go back").wait_for()
    for path in ("", "items", "orders", "invoices", "search"):
        bob.goto(address + path)
        looks_right(bob, 1280)
    for context in contexts:
        context.close()
    assert complaints == []


_CUT = """[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth)
    .map(e => e.getAttribute('aria-label'))"""
_OUTSIDE = """[...document.querySelectorAll('#list td, #list td *')]
    .filter(e => e.getBoundingClientRect().right > innerWidth).length"""


def test_lists_show_all_of_their_columns_and_so_does_a_document(chromium: Any, house: House, address: str) -> None:
    acme = house.acme
    acme.customer("one")
    subscription_id = acme.subscribe("one", "one-basic")
    acme.settle()
    (charge,) = acme.witness.charges()
    acme.witness.call("POST", "disputes", {"charge": charge.charge_ref, "reason": "product_not_received"})
    acme.settle()
    complaints: list[str] = []
    context = chromium.new_context(viewport=PHONE)
    page = watched(context, complaints)
    come_in(page, acme.parts, address, "ada")
    lists = ("items", "invoices", "payments", "disputes", "events", "outgoing", "subscriptions", "trail")
    for path in lists:
        page.goto(address + path)
        looks_right(page, PHONE["width"])
        assert (page.evaluate(_CUT), page.evaluate(_OUTSIDE)) == ([], 0), path
    page.goto(f"{address}subscriptions/{subscription_id}")
    page.locator("summary", has_text="Other items").click()
    # Two of its choices begin alike: what is credited now or with the next invoice.
    form, rest = page.get_by_role("form", name="Other items"), page.get_by_label("The rest of the running period")
    assert rest.bounding_box()["width"] > form.bounding_box()["width"] * 0.9
    page.get_by_role("button", name="Show what it comes to").click()
    page.get_by_role("heading", name="What it comes to").wait_for()
    assert page.locator("[data-name=Amount]").first.is_visible()
    assert page.evaluate(_CUT) == []
    ((invoice_id, profile_id),) = [(each.id, each.profile_id) for each in acme.invoices()]
    things = (f"subscriptions/{subscription_id}", f"invoices/{invoice_id}", f"customers/{profile_id}", "settings")
    for path in things:
        page.goto(address + path)
        looks_right(page, PHONE["width"])
        assert page.evaluate(_CUT) == [], path
    page.goto(f"{address}payments")
    row = page.locator("#list tbody tr")
    assert row.get_by_text("11.90 EUR").is_visible()
    # What a column's head says stands beside each value, where there is no room for columns.
    named = "e => getComputedStyle(e, '::before').content"
    assert row.locator("td").nth(2).evaluate(named) == '"Amount"'
    row.get_by_role("link", name="ACME-000001").click()
    page.get_by_role("form", name="What is personal").get_by_label("Reason").fill("a letter came back")
    page.get_by_role("button", name="Open the document").click()
    page.get_by_text("ACME-000001").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.set_viewport_size({"width": 1280, "height": 900})
    for path in lists:
        page.goto(address + path)
        looks_right(page, 1280)
        assert page.evaluate(_CUT) == [], path
    context.close()
    assert complaints == []
