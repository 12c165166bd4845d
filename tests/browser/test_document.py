"""A document in a browser."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from billing.documents.page import page
from billing.documents.view import view
from tests.browser.chromium import PHONE
from tests.documents.samples import document, group, line

_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
_OUTSIDE = """
() => [...document.querySelectorAll("main *")].filter((each) => {
  const range = document.createRange(); range.selectNodeContents(each);
  return range.getBoundingClientRect().right > document.querySelector("main").getBoundingClientRect().right;
}).map((each) => each.tagName)
"""


@pytest.mark.parametrize("width", [PHONE["width"], 1440])
def test_a_name_without_a_space_stays_on_the_paper(chromium: Any, width: int) -> None:
    told = view(document([line(description=f"{_WORD} plan")], [group(3000, 570)]), language="de")
    told = replace(told, buyer=replace(told.buyer, name=f"{_WORD} GmbH", lines=(_WORD, "53111 Bonn")))
    told = replace(told, seller=replace(told.seller, name=_WORD))
    context = chromium.new_context(viewport={"width": width, "height": 800})
    sheet = context.new_page()
    sheet.set_content(page(told))
    outside = sheet.evaluate(_OUTSIDE)
    buyer, seller = (each.bounding_box() for each in sheet.locator("address").all())
    context.close()
    assert outside == []
    # On a desk they stand beside each other, however long a word is.
    assert (buyer["y"] == seller["y"]) == (width > PHONE["width"])
