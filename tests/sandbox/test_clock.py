from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import redis
import requests
from click.testing import CliRunner
from pydantic import SecretStr
from sqlalchemy import text

from billing import wiring
from billing.__main__ import cli
from billing.flows import braking
from billing.flows.order import Order
from billing.flows.parts import Parts
from billing.kernel.errors import Refused
from billing.privacy.keyring import generate
from billing.providers.stripe.witness import Witness
from billing.queries.brakes import BrakeKind
from billing.queue.buffer import Message
from billing.queue.celery import make_app
from billing.queue.names import RENEWALS_TICK, TICKS
from billing.sandbox import clock
from billing.sandbox.stripe.server import serving
from billing.sandbox.stripe.store import Store
from billing.settings import Settings
from billing.wiring import build
from tests.builders import World, dispute, world

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


@dataclass
class Line:
    """Takes what would go to the broker."""

    sent: list[str]

    def send(self, messages: list[Message]) -> None:
        self.sent.extend(task.name for task, _ in messages)


@dataclass
class Ground:
    parts: Parts
    line: Line
    witness: Witness
    provider: str
    world: World

    def change(self, sql: str, **values: object) -> None:
        with self.parts.begin() as session:
            session.execute(text(sql), values)

    @property
    def now(self) -> datetime:
        return clock.now(self.parts)


@pytest.fixture
def ground(database_url: str, broker_url: str) -> Iterator[Ground]:
    """A world at rest: rows, an empty broker, and a stand-in with nothing to do."""
    with serving(Store()) as server:
        settings = Settings(
            database_url=database_url,
            broker_url=broker_url,
            billing_sandbox=True,
            stripe_api_key=SecretStr("sk_test_clock"),
            stripe_api_base=server.url,
            billing_secret_key=SecretStr(generate()),
        )
        line = Line([])
        parts = build(settings, transport=line)
        with parts.begin() as session:
            made = world(session)
        witness = Witness(server.url)
        witness.set_clock(NOON)
        yield Ground(parts, line, witness, server.url, made)
        parts.sessions.kw["bind"].dispose()


def test_a_world_at_rest_is_quiet_and_its_clock_may_be_moved(ground: Ground) -> None:
    assert clock.quiet(ground.parts) == []
    clock.advance(ground.parts, NOON + timedelta(days=1))
    assert (ground.now, ground.witness.clock()) == (NOON + timedelta(days=1), NOON + timedelta(days=1))


def test_a_move_wakes_every_sweep(ground: Ground) -> None:
    clock.advance(ground.parts, NOON + timedelta(days=1))
    assert ground.line.sent == [tick.name for tick in TICKS]


REOPENED = "UPDATE billing.payment SET status = '{}', closed_at = NULL WHERE invoice_id = :open"
NOT_QUIET = [
    ("UPDATE billing.subscription SET next_due_at = '2026-04-01' WHERE code = 'running'", "1 subscription due"),
    (
        "UPDATE billing.invoice SET next_attempt_at = '2026-04-01' WHERE status = 'open'",
        "1 invoice due to be charged",
    ),
    ("UPDATE billing.slice SET status = 'pending' WHERE parent_id IS NOT NULL", "2 slices of work not done"),
    ("UPDATE billing.provider_event SET status = 'received', next_try_at = clock_timestamp()", "2 events waiting"),
    (REOPENED.format("sent"), "1 payment being made"),
    (REOPENED.format("unknown"), "1 payment whose outcome is unknown"),
]


@pytest.mark.parametrize(("change", "said"), NOT_QUIET, ids=[said for _, said in NOT_QUIET])
def test_what_is_not_done_is_named_and_the_clock_stands(ground: Ground, change: str, said: str) -> None:
    values = {"open": ground.world.open.id} if ":open" in change else {}
    ground.change(change, **values)
    with pytest.raises(Refused, match=said) as refused:
        clock.advance(ground.parts, NOON + timedelta(days=1))
    assert (refused.value.code, ground.now, ground.witness.clock()) == ("not_quiet", NOON, NOON)


def test_a_payment_that_is_processing_may_stay(ground: Ground) -> None:
    ground.change(REOPENED.format("processing"), open=ground.world.open.id)
    assert clock.quiet(ground.parts) == []


def test_what_is_on_hold_is_not_waited_for(ground: Ground) -> None:
    ground.change("UPDATE billing.subscription SET next_due_at = '2026-04-01' WHERE code = 'held'")
    assert clock.quiet(ground.parts) == []


def test_what_a_dispute_or_a_brake_stops_is_not_waited_for(ground: Ground) -> None:
    ground.change("UPDATE billing.invoice SET next_attempt_at = '2026-04-01' WHERE status = 'open'")
    assert clock.quiet(ground.parts) == ["1 invoice due to be charged"]
    with ground.parts.begin() as session:
        row = dispute(session, ground.world.paid, at=NOON)
    assert clock.quiet(ground.parts) == []
    ground.change("UPDATE billing.dispute SET status = 'won', closed_at = opened_at WHERE id = :id", id=row.id)
    assert clock.quiet(ground.parts) == ["1 invoice due to be charged"]
    ground.change("UPDATE billing.subscription SET next_due_at = '2026-04-01' WHERE code = 'running'")
    for kind in BrakeKind:
        braking.stop(ground.parts, kind, order=Order("ada", "a test"))
    ground.line.sent.clear()
    assert clock.quiet(ground.parts) == []


def test_a_queued_message_is_not_quiet(ground: Ground) -> None:
    app = make_app(ground.parts.settings)
    app.send_task(RENEWALS_TICK.name, queue=RENEWALS_TICK.queue)
    assert clock.quiet(ground.parts) == ["1 message queued"]


def test_an_undelivered_webhook_is_not_quiet(ground: Ground) -> None:
    key = ("sk_test_clock", "")
    nowhere = {"url": "http://127.0.0.1:9/nobody", "enabled_events[]": "customer.created"}
    assert requests.post(f"{ground.provider}/v1/webhook_endpoints", data=nowhere, auth=key, timeout=5).ok
    assert requests.post(f"{ground.provider}/v1/customers", data={}, auth=key, timeout=5).ok
    assert clock.wait_until_quiet(ground.parts, seconds=0.3) == ["1 webhook undelivered"]


@contextmanager
def now_and_then_a_message_in_hands(broker_url: str) -> Iterator[redis.Redis]:
    """As beat's ticks are: a worker has one for a moment, many times a second. A client to that broker."""
    over = threading.Event()
    address = broker_url.replace("redis+socket:", "unix:").replace("virtual_host=", "db=")

    def flap(client: redis.Redis) -> None:
        while not over.wait(0.05):
            client.zadd("unacked_index", {"tick": time.time()})
            over.wait(0.05)
            client.zrem("unacked_index", "tick")

    with redis.Redis.from_url(address) as client:
        thread = threading.Thread(target=flap, args=(client,))
        thread.start()
        try:
            yield client
        finally:
            over.set()
            thread.join()


def test_a_move_that_may_wait_is_not_refused_for_what_began_after_its_wait(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ground.parts.settings
    assert settings.database_url
    assert settings.broker_url
    assert settings.stripe_api_key
    assert settings.billing_secret_key
    for name, value in {
        "DATABASE_URL": settings.database_url,
        "BROKER_URL": settings.broker_url,
        "STRIPE_API_KEY": settings.stripe_api_key.get_secret_value(),
        "STRIPE_API_BASE": ground.provider,
        "BILLING_SECRET_KEY": settings.billing_secret_key.get_secret_value(),
        "BILLING_SANDBOX": "1",
    }.items():
        monkeypatch.setenv(name, value)
    wiring.current.cache_clear()
    try:
        with now_and_then_a_message_in_hands(settings.broker_url) as broker:
            for _ in range(12):
                moved = CliRunner().invoke(cli, ["clock", "advance", "+1h", "--wait", "20"])
                assert (moved.exit_code, moved.stderr) == (0, "")
                broker.flushdb()  # no worker is there to take the sweeps that a move wakes
    finally:
        wiring.current().sessions.kw["bind"].dispose()
        wiring.current.cache_clear()


def test_force_moves_it_all_the_same(ground: Ground) -> None:
    ground.change("UPDATE billing.slice SET status = 'pending' WHERE parent_id IS NOT NULL")
    clock.advance(ground.parts, NOON + timedelta(days=1), force=True)
    assert ground.now == NOON + timedelta(days=1)


def test_the_clock_never_goes_back_even_by_force(ground: Ground) -> None:
    with pytest.raises(Refused) as refused:
        clock.advance(ground.parts, NOON, force=True)
    assert refused.value.code == "clock_goes_forward"


def test_waiting_wakes_the_sweeps_that_would_help(ground: Ground) -> None:
    ground.change("UPDATE billing.subscription SET next_due_at = '2026-04-01' WHERE code = 'running'")
    assert clock.wait_until_quiet(ground.parts, seconds=0.6) == ["1 subscription due to be billed"]
    assert set(ground.line.sent) == {RENEWALS_TICK.name}


def test_the_next_moment_is_the_last_one_of_its_hour(ground: Ground) -> None:
    first = NOON + timedelta(days=2)
    ground.change("UPDATE billing.subscription SET next_due_at = NULL WHERE status <> 'canceled' AND hold_id IS NULL")
    ground.change("UPDATE billing.invoice SET next_attempt_at = :at WHERE status = 'open'", at=first)
    ground.change(
        "UPDATE billing.subscription SET next_due_at = :at WHERE code = 'running'", at=first + timedelta(minutes=40)
    )
    assert clock.next_moment(ground.parts) == first + timedelta(minutes=40)
    assert clock.next_moment(ground.parts, grouped_s=0) == first
