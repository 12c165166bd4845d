"""A stand-in in a thread on a free port, new for each test; and a receiver of webhooks registered with it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from billing.sandbox.stripe import Store
from billing.sandbox.stripe.server import serving
from tests.sandbox.stripe.making import Receiver, World, receiving


@pytest.fixture
def world() -> Iterator[World]:
    with serving(Store(), seed=7) as server:
        yield World(server.url)


@pytest.fixture
def receiver(world: World) -> Iterator[Receiver]:
    with receiving() as receiver:
        endpoint = world.v1.webhook_endpoints.create({"url": receiver.url, "enabled_events": ["*"]})
        receiver.secret = endpoint.secret
        yield receiver
