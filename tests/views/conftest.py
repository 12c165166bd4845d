"""A company whose customers visit their page, and a visitor's browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from tests.flows.company import Company, company
from tests.views.visiting import browser_of


@pytest.fixture
def acme(database_url: str) -> Iterator[Company]:
    with company(database_url, patience_s=30) as fresh:
        yield fresh


@pytest.fixture
def browser(acme: Company) -> FlaskClient:
    return browser_of(acme.parts)
