"""A company, and a customer with a telephone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.chromium import PHONE
from tests.browser.pages import Visitor
from tests.flows.company import Company, company


@pytest.fixture
def acme(database_url: str) -> Iterator[Company]:
    with company(database_url, patience_s=30) as fresh:
        yield fresh


@pytest.fixture
def visitor(chromium: Any, acme: Company) -> Iterator[Visitor]:
    """A customer with a phone."""
    context = chromium.new_context(viewport=PHONE, locale="en-GB")
    visitor = Visitor(context, acme)
    yield visitor
    complaints = visitor.complaints
    context.close()
    assert complaints == []
