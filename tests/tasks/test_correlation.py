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
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import select

import billing.tasks  # noqa: F401 (registers them)
from billing.models import Payment
from billing.privacy.logging import configure_logging, correlated
from billing.privacy.scan import find_secrets
from billing.privacy.spans import Spans
from billing.privacy.tracing import trace_with
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


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    kept = InMemorySpanExporter()
    trace_with(Spans(lambda: SimpleSpanProcessor(kept), service="test"))
    yield kept
    trace_with(None)


def _lines(said: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in said.getvalue().splitlines() if line.startswith("{")]


def test_who_follows_a_tick_arrives_at_the_settlement(
    office: Office, said: io.StringIO, spans: InMemorySpanExporter
) -> None:
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
    # The same as a trace: one, whose id is the run's, from the first step down to the call, and back with the webhook.
    assert payment.correlation_id is not None
    traced = [each for each in spans.get_finished_spans() if each.context.trace_id == payment.correlation_id.int]
    by_number = {each.context.span_id: each for each in traced}
    (first,) = [each for each in traced if each.parent is None]

    def way(name: str) -> list[str]:
        """From the first step to the first one of this name."""
        found = next(each for each in traced if each.name == name)
        names = [found.name]
        while found.parent is not None:
            found = by_number[found.parent.span_id]
            names.append(found.name)
        return [each for each in names[::-1] if each != "transaction"]

    call = ["renewals.tick", "renewals.bill", "collections.charge", "stripe payment_intents.create"]
    assert (first.name, way(call[-1])) == ("renewals.tick", call)
    assert way("event.take") == ["renewals.tick", "event.take"]
    assert {each.attributes["billing.payment"] for each in traced if each.name == call[-1]} == {str(payment.id)}
    held = [each.to_json() for each in spans.get_finished_spans()]
    assert [text for text in held if find_secrets(text) or acme.parts.settings.stripe_keys["default"] in text] == []
    assert [value for value in ("Person a1", "a1@example.com", "Street 1", "10115") if value in "".join(held)] == []


@pytest.mark.valkey
def test_a_message_bears_the_id_of_whoever_sent_it(broker_url: str) -> None:
    settings = Settings(_env_file=None, broker_url=broker_url, billing_sandbox=True)
    with correlated() as run:
        CeleryTransport(make_app(settings)).send([(UPKEEP_TICK, ())])
    (text,) = [text for key, text in waiting_texts(broker_url) if key == UPKEEP_TICK.queue]
    assert f'"{CORRELATION}": "{run}"' in text
