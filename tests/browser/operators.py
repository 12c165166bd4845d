"""What an operator does at the console, and what holds of each of its pages."""

from __future__ import annotations

import time
from typing import Any

from billing.flows import operators
from billing.flows.order import Order
from billing.flows.parts import Parts
from billing.privacy.one_time_code import code_at
from billing.rules.permission import Role
from tests.browser.pages import _is_bad

_UNNAMED = "[...document.querySelectorAll('input:not([type=hidden]),select')].filter(e => !e.labels.length).length"
_HEADLESS = "document.querySelectorAll('table:not(:has(th[scope=col]))').length"


def watched(context: Any, complaints: list[str]) -> Any:
    """A page of this context that tells what the browser had to complain about."""
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.on("console", lambda said: complaints.append(said.text) if _is_bad(said) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page


def come_in(page: Any, parts: Parts, address: str, name: str) -> None:
    """An administrator, by the keyboard alone."""
    order = Order(actor="root", reason="works here")
    made = operators.add(parts, name=name, role=Role.ADMIN, with_password=True, order=order).credentials
    assert made is not None
    page.goto(address)
    # The form takes the focus when it is first painted, which may be after the page has loaded: up to 13 ms later were
    # measured beside four busy processes. What was typed before is lost.
    page.locator("[name=name]:focus").wait_for()
    for word in (name, made.password, code_at(made.second_factor, time.time())):
        page.keyboard.type(word)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Today", exact=True).wait_for()
    page.wait_for_load_state()


def looks_right(page: Any, width: int) -> None:
    """No wider than the screen; fields have names that are read aloud, tables heads; one place is the main one."""
    # A heading may be there before the style sheet is.
    page.wait_for_load_state()
    assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url
    assert page.evaluate(_UNNAMED) == 0, page.url
    assert page.evaluate(_HEADLESS) == 0, page.url
    assert page.get_by_role("main").count() == 1, page.url
    assert page.get_by_role("heading", level=1).count() == 1, page.url
