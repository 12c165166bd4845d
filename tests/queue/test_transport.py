"""The transport: a broker that is frozen or gone costs whoever publishes a second or two, once, and then nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from billing.queue.celery import BrokerAway, CeleryTransport, make_app
from billing.queue.names import UPKEEP_TICK
from billing.sandbox.crash.ground import Broker
from billing.settings import Settings

MESSAGE = [(UPKEEP_TICK, ())]
PATIENCE_S = 8.0
"""The provider's is ten seconds. Two are what the settings come to; the rest is for a loaded machine."""


@pytest.fixture
def broker() -> Iterator[Broker]:
    broker = Broker()
    yield broker
    broker.remove()


def _transport(broker: Broker, *, pause_s: float) -> CeleryTransport:
    settings = Settings(_env_file=None, broker_url=broker.url, billing_sandbox=True)
    return CeleryTransport(make_app(settings, only_publishes=True), pause_s=pause_s)


def test_a_frozen_broker_is_given_up_soon_and_then_not_asked(broker: Broker) -> None:
    transport = _transport(broker, pause_s=60)
    transport.send(MESSAGE)
    broker.freeze()
    began = time.monotonic()
    with pytest.raises(Exception, match="Timeout"):
        transport.send(MESSAGE)
    assert time.monotonic() - began < PATIENCE_S
    broker.thaw()
    with pytest.raises(BrokerAway):
        transport.send(MESSAGE)


def test_after_the_pause_messages_go_out_again(broker: Broker) -> None:
    transport = _transport(broker, pause_s=0)
    broker.kill()
    with pytest.raises(Exception, match=r"onnect|No such file"):
        transport.send(MESSAGE)
    broker.start()
    transport.send(MESSAGE)
    assert broker.waiting(UPKEEP_TICK.queue) == 1


@pytest.mark.parametrize("only_publishes", [False, True])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_no_connection_mends_itself_behind_celerys_back(
    broker: Broker, *, only_publishes: bool, asynchronous: bool
) -> None:
    # With one retry in redis-py, a worker whose broker was killed and back at once listened for ever to a connection
    # without a subscription: alive, and deaf (seen in 8 of 30 such kills).
    settings = Settings(_env_file=None, broker_url=broker.url, billing_sandbox=True)
    with make_app(settings, only_publishes=only_publishes).connection_for_read() as connection:
        channel = connection.default_channel
        pool = channel.async_pool if asynchronous else channel.pool
        assert pool.get_connection().retry.get_retries() == 0
