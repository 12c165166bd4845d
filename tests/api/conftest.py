from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.program import Program, application, key_of
from tests.flows.company import Company, company
from tests.servers import Databases


@pytest.fixture(scope="module")
def acme(_databases: Databases) -> Iterator[Company]:
    """One company for all tests of a file: each brings customers of its own."""
    name = _databases.clone()
    with company(_databases.url_of(name), patience_s=30) as made:
        yield made
    _databases.drop(name)


@pytest.fixture
def shop(acme: Company) -> Program:
    """A program of its seller that may do everything."""
    return Program(application(acme.parts), key_of(acme))
