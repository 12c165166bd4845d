"""One correlation id leads from a beat tick through invoice, charge and webhook to settlement, over a real broker."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from celery.contrib.testing.worker import start_worker
from sqlalchemy import select

import billing.tasks  # noqa: F401 (registers them)
from billing.models import Payment
from billing.privacy.logging import configure_logging, correlated
from billing.queue.celery import CORRELATION, CeleryTransport, make_app
from billing.queue.messages import waiting_texts
from billing.queue.names import RENEWALS_TICK, UPKEEP_TICK
from billing.settings import Settings, load
from tests.ops.office import Office, office_of


@pytest.fixture
def office(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as ready:
        yield ready


@pytest.fixture
def said() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logging(json=True, stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def _lines(said: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in said.getvalue().splitlines() if line.startswith("{")]


def test_who_follows_a_tick_arrives_at_the_settlement(office: Office, said: io.StringIO) -> None:
    acme = office.acme
    acme.customer("a1")
    acme.subscribe("a1", "a1")
    acme.witness.add_faults({"kind": "timeout_after", "next": 1, "path": "/v1/payment_intents", "method": "POST"})
    CeleryTransport(make_app(load())).send([(RENEWALS_TICK, ())])

    def payments() -> list[Payment]:
        with acme.parts.begin() as session:
            return list(session.scalars(select(Payment)))

    with start_worker(make_app(load()), perform_ping_check=False, pool="solo", loglevel="info"):
        acme.wait_for(lambda: [each.status for each in payments()] == ["unknown"])
    acme.wait_for(lambda: bool(acme.line.messages))
    acme.run_messages()
    (payment,) = payments()
    assert payment.status == "succeeded"
    lines = [line for line in _lines(said) if line.get("correlation_id") == str(payment.correlation_id)]
    told = [line.get("task") or line["event"] for line in lines if line["event"] in ("task_done", "event_taken")]
    # Two events tell of the charge; whether the second is taken or seen to say what is known depends on their timing.
    assert list(dict.fromkeys(told)) == ["renewals.tick", "renewals.bill", "collections.charge", "event_taken"]


def test_a_message_bears_the_id_of_whoever_sent_it(broker_url: str) -> None:
    settings = Settings(_env_file=None, broker_url=broker_url, billing_sandbox=True)
    with correlated() as run:
        CeleryTransport(make_app(settings)).send([(UPKEEP_TICK, ())])
    (text,) = [text for key, text in waiting_texts(broker_url) if key == UPKEEP_TICK.queue]
    assert f'"{CORRELATION}": "{run}"' in text
