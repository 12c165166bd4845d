"""Subscribers in process hear the same events as endpoints: Python callables, and Celery tasks by name."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from billing.flows import delivery
from billing.kernel.errors import Refused
from billing.kernel.ids import new_id
from billing.queue.buffer import Message
from tests.flows.company import Company
from tests.flows.listening import due, go, listening, outcomes, settle_on, tell

HEARD: list[dict[str, Any]] = []


def hear(event: dict[str, Any]) -> None:
    """A subscriber in process; `now_broken` makes it fail."""
    if event["object"]["id"] in BROKEN:
        raise LookupError("a name that nobody may read")
    HEARD.append(event)


BROKEN: set[str] = set()


def test_a_callable_of_the_setting_hears_the_same_events_in_order_and_its_failure_is_tried_again(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = f"python:{__name__}:hear"
    monkeypatch.setitem(__import__("sys").modules, __name__, __import__("types").SimpleNamespace(hear=hear))
    with pytest.raises(Refused, match="unknown_subscriber"):
        listening(acme, target)
    settle_on(acme, billing_subscribers=target)
    id_, _ = listening(acme, target)
    HEARD.clear()
    objects = [new_id() for _ in range(3)]
    BROKEN.add(str(objects[1]))
    for each in objects:
        tell(acme, each)
    go(acme, id_)
    assert [event["object"]["id"] for event in HEARD] == [str(objects[0]), str(objects[2])]
    assert sorted(outcomes(acme)) == ["delivered", "delivered", "raised_LookupError"]
    BROKEN.clear()
    due(acme)
    go(acme, id_)
    assert HEARD[-1]["object"]["id"] == str(objects[1])


class Broken:
    def send(self, messages: list[Message]) -> None:
        raise ConnectionError


def test_a_task_of_the_setting_gets_the_event_as_text_and_a_broker_that_is_away_loses_none(acme: Company) -> None:
    target = "celery:shop:shop.tasks.on_event"
    settle_on(acme, billing_subscribers=target)
    id_, _ = listening(acme, target)
    tell(acme, new_id())
    line = acme.parts.transport
    acme.parts = replace(acme.parts, transport=Broken())
    go(acme, id_)
    assert set(outcomes(acme)) == {"broker_away"}
    acme.parts = replace(acme.parts, transport=line)
    acme.line.messages.clear()
    due(acme)
    assert delivery.deliver(acme.parts, id_) == 1
    ((task, (body,)),) = acme.line.messages
    assert (task.name, task.queue, json.loads(body)["type"]) == ("shop.tasks.on_event", "shop", "profile.updated")
    acme.line.messages.clear()
