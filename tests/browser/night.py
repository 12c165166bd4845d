"""An operator's night with a telephone: every page is looked at, a story read, a change shown, a credit given."""

from __future__ import annotations

from typing import Any

from billing.flows.parts import Parts
from tests.browser.chromium import PHONE
from tests.browser.operators import come_in, looks_right, watched

_PLACES = "[...document.querySelectorAll('nav.side a')].map(each => each.href)"


def a_night(chromium: Any, parts: Parts, address: str) -> list[str]:
    """Over a company that has billed; returns what the browser had to complain about."""
    complaints: list[str] = []
    context = chromium.new_context(viewport=PHONE)
    page = watched(context, complaints)
    come_in(page, parts, address, "night")
    _look_at_every_page(page, address)
    _read_a_story(page, address)
    _see_what_a_change_comes_to(page, address)
    _give_credit(page)
    context.close()
    return complaints


def _look_at_every_page(page: Any, address: str) -> None:
    # Of the chart the newest day is in sight.
    newest = page.locator("svg.chart").first.locator("rect").last.bounding_box()
    assert 0 <= newest["x"] <= newest["x"] + newest["width"] <= PHONE["width"]
    places = page.evaluate(_PLACES)
    assert len(places) > 12
    for place in places:
        page.goto(place)
        looks_right(page, PHONE["width"])
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="dark")
    for place in ("", "items", "invoices"):
        page.goto(address + place)
        looks_right(page, 1280)
    page.set_viewport_size(PHONE)


def _read_a_story(page: Any, address: str) -> None:
    page.goto(f"{address}invoices?status=paid")
    page.locator("#list tbody a").first.click()
    page.get_by_text("Lines, and how each came about").wait_for()
    page.get_by_text(" = ").first.wait_for()
    looks_right(page, PHONE["width"])


def _see_what_a_change_comes_to(page: Any, address: str) -> None:
    page.goto(f"{address}subscriptions?status=active")
    page.locator("#list tbody a").first.click()
    page.get_by_text("The next invoice as far as it is known").wait_for()
    looks_right(page, PHONE["width"])
    page.locator("summary", has_text="Other items").click()
    items = page.get_by_role("form", name="Other items")
    items.get_by_label("Quantity").first.fill("1000")
    items.get_by_role("button").click()
    page.get_by_role("heading", name="What it comes to").wait_for()
    looks_right(page, PHONE["width"])
    page.get_by_role("link", name="Leave it as it is").click()


def _give_credit(page: Any) -> None:
    """To the customer whose subscription is shown: tried first."""
    page.get_by_role("link", name="acct-").first.click()
    page.locator("summary", has_text="Give credit").click()
    credit = page.get_by_role("form", name="Give credit")
    for label, value in (("Amount", "1.50"), ("Currency", "eur"), ("Reason", "they waited long")):
        credit.get_by_label(label).fill(value)
    credit.get_by_role("button", name="Try").click()
    page.get_by_text("Tried, nothing was changed: 1.50 EUR of credit").wait_for()
    page.get_by_role("form", name="Give credit").get_by_role("button", name="Give credit").click()
    page.get_by_role("status").get_by_text("1.50 EUR of credit").wait_for()
