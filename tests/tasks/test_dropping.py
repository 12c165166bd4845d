"""Messages that no task can take are dropped and told to a person, duplicates folded into one; the worker goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from celery.contrib.testing.worker import start_worker
from kombu.message import Message
from sqlalchemy import select

import billing.tasks  # noqa: F401 (registers them)
from billing.models import Heartbeat
from billing.queue.celery import CeleryTransport, make_app
from billing.queue.names import UPKEEP_TICK, TaskName
from billing.settings import load
from billing.tasks.acknowledging import Reconnecting
from tests.ops.office import WHY, Office, office_of


@pytest.fixture
def office(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as ready:
        yield ready


def test_a_task_past_its_limit_is_told_by_its_worker(office: Office) -> None:
    app = make_app(load())
    task = app.tasks[UPKEEP_TICK.name]
    headers = {"task": task.name, "id": "x", "root_id": "x", "parent_id": None, "argsrepr": "", "kwargsrepr": ""}
    message = Message("[[], {}, {}]", headers=headers, content_type="application/json", content_encoding="utf-8")
    request = Reconnecting(message, on_ack=lambda *_: None, app=app, task=task)
    request.on_timeout(soft=False, timeout=300)
    (item,) = office.items()
    assert (item.kind, item.subject_type, "upkeep.tick" in item.summary) == ("task_failed", "task", True)
    assert "TimeLimitExceeded" in (item.error or "")


def test_what_is_dropped_is_told_once_and_what_follows_is_done(office: Office) -> None:
    app = make_app(load())
    unknown = TaskName("renewals.of_another_release", "upkeep")
    CeleryTransport(app).send([(unknown, ()), (unknown, ("1",))])
    with app.producer_or_acquire() as producer:
        headers = {"task": UPKEEP_TICK.name, "id": "forged"}
        plain = {"content_type": "application/json", "content_encoding": "utf-8", "serializer": None}
        producer.publish("no json", routing_key="upkeep", exchange="", headers=headers, **plain)
        producer.publish('"no task"', routing_key="upkeep", exchange="", headers={}, **plain)
    CeleryTransport(app).send([(UPKEEP_TICK, ())])

    def heartbeats() -> list[str]:
        with office.acme.begin() as session:
            return list(session.scalars(select(Heartbeat.tick)))

    with start_worker(app, perform_ping_check=False, pool="solo"):
        office.acme.wait_for(lambda: "upkeep.tick" in heartbeats())
    found = {item.kind: item for item in office.items()}
    assert set(found) == {"message_unroutable", "message_unreadable"}
    assert found["message_unroutable"].tries == 2
    assert "renewals.of_another_release" in found["message_unroutable"].summary
    office.ok("work", "discard", str(found["message_unroutable"].id), *WHY)
    assert [record.action for record in office.trail()] == ["work.discard"]
