"""Measuring: each number follows the rows it tells of, and a broker that is away hides nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from billing.commands.work_item.raise_item import raise_item
from billing.flows.measuring import GAUGES, measure
from billing.flows.upkeep import beat
from billing.kernel.ids import new_id
from billing.queue.celery import CeleryTransport, make_app
from billing.queue.names import UPKEEP_TICK
from tests.flows.company import START, Company, company

Numbers = dict[tuple[str, ...], float]


@pytest.fixture
def acme(database_url: str, broker_url: str) -> Iterator[Company]:
    with company(database_url) as made:
        settings = made.parts.settings.model_copy(update={"broker_url": broker_url})
        yield replace(made, parts=replace(made.parts, settings=settings))


def _numbers(acme: Company) -> Numbers:
    found = measure(acme.parts)
    assert {each.name for each in found} <= set(GAUGES)
    return {(each.name, *(value for _, value in each.labels)): each.value for each in found}


def _execute(acme: Company, statement: str, **values: Any) -> None:
    with acme.parts.begin() as session:
        session.execute(text(statement), values)


def test_a_quiet_company_measures_nothing_late(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "a1")
    acme.settle()
    numbers = _numbers(acme)
    late = {name for name, value in numbers.items() if value and name[0].endswith(("lag_seconds", "_age_seconds"))}
    assert late == {("billing_outbox_lag_seconds",)}
    assert numbers["billing_oldest_unhandled_event_seconds",] == 0
    assert numbers["billing_recent_attempts", "succeeded"] == 1
    assert numbers["billing_tick_last_success_timestamp_seconds", "upkeep.tick"] == 0
    assert 0 < numbers["billing_outbox_lag_seconds",] < 60
    assert numbers["billing_provider_breaker_open", "stripe", "default"] == 0


def test_what_is_due_and_what_is_unknown_is_told_by_its_age(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "a1")
    acme.settle()
    _execute(acme, "UPDATE billing.subscription SET next_due_at = :at", at=START - timedelta(hours=2))
    _execute(acme, "UPDATE billing.invoice SET status = 'open', next_attempt_at = :at", at=START - timedelta(hours=3))
    _execute(
        acme,
        "UPDATE billing.payment SET status = 'unknown', closed_at = NULL, first_sent_at = :at",
        at=START - timedelta(hours=1),
    )
    numbers = _numbers(acme)
    assert numbers["billing_due_lag_seconds", "renewals"] == 7200
    assert numbers["billing_due_lag_seconds", "charges"] == 10_800
    assert numbers["billing_unknown_attempts",] == 1
    assert numbers["billing_unknown_age_seconds",] == 3600
    assert numbers["billing_recent_attempts", "unknown"] == 1
    _execute(acme, "UPDATE billing.subscription SET hold_id = :id", id=new_id())
    assert _numbers(acme)["billing_due_lag_seconds", "renewals"] == 0


def test_the_oldest_event_that_waits_is_told_by_its_age(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "a1")
    acme.settle()
    _execute(
        acme,
        "UPDATE billing.provider_event SET created_at = created_at - interval '1 hour', next_try_at = now()"
        " WHERE id IN (SELECT min(id::text)::uuid FROM billing.provider_event)",
    )
    numbers = _numbers(acme)
    assert numbers["billing_events_waiting",] == 1
    assert 3600 <= numbers["billing_oldest_unhandled_event_seconds",] < 3700


def test_open_work_beats_and_messages_are_counted(acme: Company, broker_url: str) -> None:
    with acme.parts.begin() as session:
        for _ in range(2):
            raise_item(
                session,
                kind="task_failed",
                subject_type="task",
                subject_id=new_id(),
                summary="A task failed.",
                safe_actions=["park"],
                now=START,
            )
    beat(acme.parts, UPKEEP_TICK, worker="here")
    CeleryTransport(make_app(acme.parts.settings)).send([(UPKEEP_TICK, ()), (UPKEEP_TICK, ())])
    numbers = _numbers(acme)
    assert numbers["billing_work_items", "task_failed", "open"] == 2
    assert numbers["billing_dead", "task"] == 2
    assert numbers["billing_dead", "provider_event"] == 0
    assert abs(numbers["billing_tick_last_success_timestamp_seconds", "upkeep.tick"] - time.time()) < 60
    assert numbers["billing_queue_messages", "upkeep"] == 2
    assert numbers["billing_queue_messages", "charges"] == 0
    assert numbers["billing_broker_up",] == 1


def test_a_broker_that_is_away_is_a_number_and_hides_no_other(acme: Company) -> None:
    settings = acme.parts.settings.model_copy(update={"broker_url": "redis://127.0.0.1:1/0"})
    away = replace(acme, parts=replace(acme.parts, settings=settings))
    numbers = _numbers(away)
    assert numbers["billing_broker_up",] == 0
    assert ("billing_due_lag_seconds", "charges") in numbers
