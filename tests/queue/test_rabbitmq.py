"""RabbitMQ in the broker's place, a real one: nothing waits for it, nothing is lost with a worker, nothing goes round.

By `./run test --broker rabbitmq`, with the other tests that speak to a broker.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import amqp
import pytest
from kombu.connection import Connection
from kombu.exceptions import OperationalError

from billing.flows.start import start
from billing.kernel.errors import Unavailable
from billing.providers.stripe.witness import Witness
from billing.queue import rabbitmq
from billing.queue.celery import BrokerAway, CeleryTransport, NoSuchQueue, make_app
from billing.queue.depths import depths, reach
from billing.queue.messages import waiting_texts
from billing.queue.names import (
    COLLECTIONS_RESOLVE,
    COLLECTIONS_TICK,
    INBOX_TICK,
    QUEUES,
    RENEWALS_TICK,
    UPKEEP_TICK,
    TaskName,
)
from billing.sandbox.stripe.server import serving
from billing.sandbox.stripe.store import MEMORY, Store
from billing.settings import Settings
from billing.tasks.watching import STATUS
from billing.wiring import build
from tests.flows.company import START, Company, _seller
from tests.flows.line import Line
from tests.rabbitmq import PID, control
from tests.stack import settings_for
from tests.worker_process import worker_process

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(600)]
TICK = [(UPKEEP_TICK, ())]
PATIENCE_S = 150.0


def _until(condition: Callable[[], object], told: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)


def _settings(url: str) -> Settings:
    return Settings(_env_file=None, broker_url=url, billing_sandbox=True)


def _stands_still(group: int) -> bool:
    """Whether the signal has reached every thread of the group: the last ones go on for a moment."""
    for stat in Path("/proc").glob("[0-9]*/task/*/stat"):
        with suppress(OSError):
            state, _, of, *_ = stat.read_text().rpartition(")")[2].split()
            if int(of) == group and state not in "TtZ":
                return False
    return True


@contextmanager
def _frozen() -> Iterator[None]:
    node = int(os.environ[PID])
    os.killpg(node, signal.SIGSTOP)
    try:
        _until(lambda: _stands_still(node))
        yield
    finally:
        os.killpg(node, signal.SIGCONT)


def test_each_message_goes_to_its_own_queue_alone_and_is_counted(broker_url: str) -> None:
    assert depths(broker_url) == dict.fromkeys(QUEUES, 0)
    transport = CeleryTransport(make_app(_settings(broker_url), only_publishes=True))
    transport.send([(UPKEEP_TICK, ()), (RENEWALS_TICK, ()), (UPKEEP_TICK, ())])
    assert {name: number for name, number in depths(broker_url).items() if number} == {"upkeep": 2, "renewals": 1}
    reach(broker_url)
    with pytest.raises(Unavailable, match="--no-broker"):
        list(waiting_texts(broker_url))


def test_queues_are_quorum_queues_with_a_limit_of_deliveries(broker_url: str) -> None:
    CeleryTransport(make_app(_settings(broker_url))).send(TICK)
    with Connection(broker_url) as connection:
        for other in (None, {"x-queue-type": "quorum"}, {"x-queue-type": "classic"}):
            with connection.channel() as channel, pytest.raises(amqp.PreconditionFailed, match="inequivalent arg"):
                channel.queue_declare("upkeep", durable=True, auto_delete=False, arguments=other)
        with connection.channel() as channel:
            channel.queue_declare("upkeep", durable=True, auto_delete=False, arguments=rabbitmq.queue_arguments())
            # One that ends its worker each time is dropped in the end.
            for _ in range(21):
                message = channel.basic_get("upkeep")
                channel.basic_reject(message.delivery_tag, requeue=True)
        _until(lambda: depths(broker_url)["upkeep"] == 0)


def test_a_frozen_broker_is_given_up_soon_and_then_not_asked(broker_url: str) -> None:
    transport = CeleryTransport(make_app(_settings(broker_url), only_publishes=True), pause_s=60)
    transport.send(TICK)
    with _frozen():
        began = time.monotonic()
        with pytest.raises(OperationalError):
            transport.send(TICK)
        with pytest.raises(BrokerAway):
            transport.send(TICK)
        with pytest.raises(Unavailable):
            depths(broker_url)
        assert time.monotonic() - began < 15
    other = CeleryTransport(make_app(_settings(broker_url), only_publishes=True))
    other.send(TICK)
    assert depths(broker_url)["upkeep"] >= 2


def test_what_a_server_that_is_away_is_asked_ends_within_seconds() -> None:
    for url in ("amqp://guest:guest@127.0.0.1:1//", "amqp://127.0.0.1:1//;amqp://127.0.0.1:2//"):
        began = time.monotonic()
        for ask in (reach, depths):
            with pytest.raises(Unavailable):
                ask(url)
        assert time.monotonic() - began < 15


def test_an_event_for_a_queue_that_is_not_there_is_not_called_delivered(broker_url: str) -> None:
    transport = CeleryTransport(make_app(_settings(broker_url)), pause_s=0)
    event = [(TaskName("shop.tasks.on_event", "shop"), ("{}",))]
    with pytest.raises(NoSuchQueue):
        transport.send(event)
    with Connection(broker_url) as connection, connection.channel() as channel:
        channel.queue_declare("shop", durable=True, auto_delete=False, arguments={"x-max-length": 5})
        transport.send(event)
        _until(lambda: channel.basic_get("shop", no_ack=True))


def test_what_a_killed_worker_had_in_hand_comes_to_another_and_is_charged_once(
    database_url: str, broker_url: str, tmp_path: Path
) -> None:
    first_log, second_log = tmp_path / "first.log", tmp_path / "second.log"

    def told() -> str:
        return "\n".join(log.read_text()[-4000:] for log in (first_log, second_log) if log.exists())

    with serving(Store(MEMORY), seed=1) as provider, ExitStack() as open_:
        settings = settings_for(database_url, provider.url).model_copy(update={"broker_url": broker_url})
        transport = CeleryTransport(make_app(settings))
        parts = build(settings, transport=transport)
        open_.callback(parts.sessions.kw["bind"].dispose)
        start(parts)
        acme = Company(parts, Line(), Witness(provider.url), provider.url, "", [], *_seller(parts, None))
        acme.set_clock(START)
        acme.customer("a1")
        acme.subscribe("a1", "of-a1")
        failpoint = {"BILLING_FAILPOINTS": "charge.answered=stop@1"}
        first = open_.enter_context(worker_process("first@test", settings, first_log, **failpoint))
        _until(lambda: " ready." in first_log.read_text(), told)
        # No queues for countdowns: nothing here has one.
        with Connection(broker_url) as connection:
            assert rabbitmq.waiting(connection, "celery_delayed_0") is None
        transport.send([(RENEWALS_TICK, ())])
        _until(lambda: len(list(acme.witness.charges())) == 1, told)
        # The money has moved and it is not written down: the whole worker dies with the message in its hand.
        os.killpg(first.pid, signal.SIGKILL)
        open_.enter_context(worker_process("second@test", settings, second_log))
        _until(lambda: "collections.charge" in second_log.read_text(), told)

        def paid() -> bool:
            if not any(depths(broker_url).values()):
                transport.send([(COLLECTIONS_TICK, ()), (COLLECTIONS_RESOLVE, ()), (INBOX_TICK, ())])
            return [each.status for each in acme.invoices()] == ["paid"]

        _until(paid, told)
        assert len(list(acme.witness.charges())) == 1
        assert acme.violations() == ()


def test_a_worker_outlives_its_broker_and_one_that_hears_nothing_ends(
    database_url: str, broker_url: str, tmp_path: Path
) -> None:
    said = tmp_path / "worker.log"

    def received() -> int:
        return said.read_text().count("Task upkeep.tick")

    with serving(Store(MEMORY)) as provider:
        settings = settings_for(database_url, provider.url).model_copy(update={"broker_url": broker_url})
        parts = build(settings, transport=CeleryTransport(make_app(settings)))
        start(parts)
        transport = CeleryTransport(make_app(settings), pause_s=0)
        with worker_process("watched@test", settings, said, BILLING_WATCH_S="6") as worker:
            _until(lambda: said.read_text().count("Task watch.ping") >= 2, said.read_text)
            # The server forgets the worker's connections, as one that is started anew does.
            before = received()
            transport.send(TICK)
            _until(lambda: received() > before, said.read_text)
            control("close_all_connections", "--vhost", broker_url.rpartition("/")[2], "of the test")
            # Who published before goes on at once, over a new connection; so does the worker, a moment later.
            transport.send(TICK)
            _until(lambda: received() > before + 1, said.read_text)
            app = make_app(settings)
            for queue in (*QUEUES, "watch.watched@test"):
                app.control.cancel_consumer(queue, destination=["watched@test"])
            _until(lambda: worker.poll() is not None, said.read_text)
            assert worker.returncode == STATUS, said.read_text()
        parts.sessions.kw["bind"].dispose()
