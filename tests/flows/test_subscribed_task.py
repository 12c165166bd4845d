"""A Celery task of the host application that is subscribed to an event gets it, through a real broker and worker."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from kombu.entity import Queue

from billing.kernel.ids import new_id
from billing.queue.celery import CeleryTransport, make_app
from tests.flows.company import Company
from tests.flows.listening import go, listening, outcomes, settle_on, tell


@pytest.mark.valkey
def test_the_host_applications_task_gets_the_event(acme: Company, broker_url: str) -> None:
    shop = Celery("shop", broker=broker_url, set_as_current=False)
    shop.conf.update(task_queues=[Queue("shop")], task_ignore_result=True, worker_hijack_root_logger=False)  # type: ignore[no-untyped-call]
    heard: list[dict[str, Any]] = []

    @shop.task(name="shop.tasks.on_event")  # type: ignore[untyped-decorator]
    def on_event(text: str) -> None:
        heard.append(json.loads(text))

    target = "celery:shop:shop.tasks.on_event"
    settings = acme.parts.settings.model_copy(update={"broker_url": broker_url})
    acme.parts = replace(acme.parts, settings=settings, transport=CeleryTransport(make_app(settings)))
    settle_on(acme, billing_subscribers=target)
    id_, _ = listening(acme, target)
    object_id = new_id()
    tell(acme, object_id)
    assert go(acme, id_) == 1
    assert outcomes(acme) == ["delivered"]
    with start_worker(shop, perform_ping_check=False, pool="solo", loglevel="error"):
        acme.wait_for(lambda: bool(heard))
    (event,) = heard
    assert (event["type"], event["object"]["id"]) == ("profile.updated", str(object_id))
