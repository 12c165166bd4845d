"""The console in a real browser: come in by keyboard, act on an item, search, have an order approved."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
from werkzeug.serving import make_server

from billing.privacy.one_time_code import code_at
from billing.rules.permission import Role
from tests.browser.conftest import PHONE
from tests.browser.pages import _is_bad
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


def come_in(page: Any, house: House, address: str, name: str) -> None:
    """By the keyboard alone."""
    made = house.admit(name, Role.ADMIN).credentials
    assert made is not None
    page.goto(address)
    # The form takes the focus when it is first painted, which may be after the page has loaded.
    page.locator("[name=name]:focus").wait_for()
    code = code_at(made.second_factor, time.time())
    for word in (name, made.password, code):
        page.keyboard.type(word)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Today", exact=True).wait_for()


def test_two_operators_at_work(chromium: Any, house: House, address: str) -> None:
    house.acme.customer("one")
    house.acme.subscribe("one", "one-basic")
    house.acme.settle()
    (item,) = held(house, "s1")
    number = house.acme.invoices()[0].number
    complaints: list[str] = []
    contexts = [chromium.new_context(viewport=PHONE), chromium.new_context(viewport={"width": 1280, "height": 900})]
    ada, bob = (context.new_page() for context in contexts)
    for page in (ada, bob):
        page.set_default_timeout(20_000)
        page.on("console", lambda said: complaints.append(said.text) if _is_bad(said) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
    come_in(ada, house, address, "ada")
    # A skip link is the first thing that the keyboard finds, and the page is no wider than the telephone.
    ada.keyboard.press("Tab")
    assert ada.evaluate("document.activeElement.textContent") == "Skip to content"
    assert ada.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
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
    assert ada.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    ada.locator("summary", has_text="Refund").click()
    refund = ada.get_by_role("form", name="Refund")
    refund.get_by_label("Amount").fill("11.90")
    refund.get_by_label("Reason").fill("an outage of a day")
    refund.get_by_role("button", name="Refund").click()
    ada.get_by_text("It waits for a second person").wait_for()
    come_in(bob, house, address, "bob")
    bob.get_by_role("link", name="Orders").click()
    bob.get_by_label("Reason").fill("agreed")
    bob.get_by_role("button", name="Approve").click()
    bob.get_by_role("status").get_by_text("11.90 EUR go back").wait_for()
    # Every field has a name that is read aloud, every table heads, and one place is the main one.
    unnamed = "[...document.querySelectorAll('input:not([type=hidden]),select')].filter(e => !e.labels.length).length"
    for path in ("", "items", "orders", "invoices", "search"):
        bob.goto(address + path)
        assert bob.evaluate(unnamed) == 0
        assert bob.evaluate("document.querySelectorAll('table:not(:has(th[scope=col]))').length") == 0
        assert bob.get_by_role("main").count() == 1
    for context in contexts:
        context.close()
    assert complaints == []
