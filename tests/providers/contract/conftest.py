"""Each test of the contract runs in a fresh world of each provider, and no world may have learnt anything personal."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.providers.contract.worlds import WORLDS, World


@pytest.fixture(scope="module", params=sorted(WORLDS))
def worlds(request: pytest.FixtureRequest) -> Iterator[Callable[[], World]]:
    with WORLDS[request.param]() as fresh:
        yield fresh


@pytest.fixture
def world(worlds: Callable[[], World]) -> Iterator[World]:
    fresh = worlds()
    yield fresh
    assert fresh.breaches() == []
