from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from billing.sandbox.crash.ground import Broker
from billing.sandbox.crash.processes import Nursery
from billing.sandbox.crash.run import Grounds, lanes
from tests.servers import Databases


@pytest.fixture(scope="session")
def _nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture(scope="session")
def two_lanes() -> Iterator[list[Broker]]:
    with lanes(2) as brokers:
        yield brokers


@pytest.fixture
def grounds(_databases: Databases, _nursery: Nursery, tmp_path: Path) -> Grounds:
    return Grounds(_databases, _nursery, tmp_path)
