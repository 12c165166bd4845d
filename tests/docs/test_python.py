"""The Python that the pages show runs, block after block, as a page tells it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.flows.company import START, Company

DOCS = Path(__file__).parents[2] / "docs"
FENCE = re.compile(r"^```python run\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [page for page in sorted(DOCS.glob("*.md")) if FENCE.search(page.read_text())]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_blocks_of_a_page_run(page: Path, acme: Company) -> None:
    acme.customer("a1")
    subscription_id = acme.subscribe("a1", "s1")
    acme.settle()
    acme.set_clock(START + timedelta(days=14))
    names: dict[str, Any] = {"parts": acme.parts, "subscription_id": subscription_id}
    for block in FENCE.finditer(page.read_text()):
        exec(compile(block["body"], page.name, "exec"), names)
        acme.settle()


def test_there_are_such_pages() -> None:
    assert [page.name for page in PAGES] == ["changes.md"]
