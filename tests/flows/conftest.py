"""A company for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flows.company import Company, company


@pytest.fixture
def acme(database_url: str) -> Iterator[Company]:
    with company(database_url) as fresh:
        yield fresh
