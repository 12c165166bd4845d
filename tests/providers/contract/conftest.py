"""Each test of the contract runs in a fresh world of each provider, and no world may have learnt anything personal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.providers.contract.worlds import WORLDS, World


@pytest.fixture(params=sorted(WORLDS))
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with WORLDS[request.param]() as fresh:
        yield fresh
        assert fresh.breaches() == []
