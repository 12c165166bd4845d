"""Measuring: the state of the work as numbers, for whoever scrapes them. Cheap by design: indexed reads, no locks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy.orm import Session

from billing.flows.parts import Parts
from billing.kernel.errors import Unavailable
from billing.kernel.status import PaymentStatus
from billing.queries.audit_runs import gauge
from billing.queries.operations.gauges import (
    due_lags,
    outbox_lag,
    provider_lines,
    recent_attempts,
    unknown_attempts,
    waiting_events,
)
from billing.queries.operations.health import heartbeats
from billing.queries.operations.work import count_open_work
from billing.queue.depths import depths
from billing.queue.names import TICKS

GAUGES = {
    "billing_due_lag_seconds": "Business seconds since what is longest due was due, by work: renewals, charges.",
    "billing_events_waiting": "Provider events that wait to be handled, counted up to 10,000.",
    "billing_oldest_unhandled_event_seconds": "Seconds since the oldest event that waits was received.",
    "billing_recent_attempts": "Payment attempts opened in the last five minutes, by how they stand now.",
    "billing_unknown_attempts": "Payment attempts of which nobody knows whether they moved money.",
    "billing_unknown_age_seconds": "Seconds since the oldest of them was sent.",
    "billing_outbox_lag_seconds": "Seconds since the oldest domain event was written that is not delivered.",
    "billing_broker_up": "1 where the broker answers.",
    "billing_queue_messages": "Messages that wait in the broker, by queue.",
    "billing_tick_last_success_timestamp_seconds": "Unix time at which a beat entry last did its work; 0: never.",
    "billing_work_items": "Live work items, by kind and status.",
    "billing_dead": "Things that are not tried again until a person has decided, by what they are.",
    "billing_provider_breaker_open": "1 while a provider account is left alone because it doesn't answer.",
    "billing_provider_throttled": "Calls that the provider has answered 429.",
    "billing_audit_violations": "Violations that the last audit or the last whole one found, by invariant.",
    "billing_audit_accepted": "Findings of those audits that were accepted, and are no violations, by invariant.",
    "billing_audit_age_seconds": "Seconds since the last audit took its snapshot.",
    "billing_audit_clean_age_seconds": "Seconds since the last audit that found nothing took its snapshot.",
    "billing_audit_whole_age_seconds": "Seconds since the last audit of everything took its snapshot.",
    "billing_audit_duration_seconds": "How long the last audit took.",
    "billing_audit_rows": "Rows that the last audit looked at.",
}
"""Every metric with what it says. A name that is told stays: rules and dashboards stand on it."""

DEAD = {
    "event_not_handled": "provider_event",
    "notice_not_sent": "notice",
    "task_failed": "task",
    "message_unroutable": "message",
    "message_unreadable": "message",
}
"""Kinds of work items whose subject was given up, and what that is."""

_AUDIT = {
    "billing_audit_age_seconds": "age_s",
    "billing_audit_clean_age_seconds": "clean_age_s",
    "billing_audit_whole_age_seconds": "whole_age_s",
    "billing_audit_duration_seconds": "took_s",
    "billing_audit_rows": "rows_seen",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One number of the metric `name`."""

    name: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


def measure(parts: Parts) -> list[Sample]:
    """All samples. A broker that is away is a sample; a database that is away is an error of the driver."""
    with parts.begin() as session:
        samples = [*_work(parts, session), *_state(session), *_audits(session)]
    return [*samples, *_broker(parts)]


def _work(parts: Parts, session: Session) -> Iterator[Sample]:
    now = parts.clock.now(session)
    for work, lag_s in due_lags(session, now=now).items():
        yield Sample("billing_due_lag_seconds", lag_s, (("work", work),))
    events = waiting_events(session)
    yield Sample("billing_events_waiting", events["waiting"])
    yield Sample("billing_oldest_unhandled_event_seconds", events["age_s"] or 0.0)
    attempts = recent_attempts(session)
    for status in PaymentStatus:
        yield Sample("billing_recent_attempts", attempts.get(status, 0), (("outcome", status.value),))
    unknown = unknown_attempts(session, now=now)
    yield Sample("billing_unknown_attempts", unknown["attempts"])
    yield Sample("billing_unknown_age_seconds", unknown["age_s"] or 0.0)
    yield Sample("billing_outbox_lag_seconds", outbox_lag(session))


def _state(session: Session) -> Iterator[Sample]:
    for tick, seen in heartbeats(session, [tick.name for tick in TICKS]).items():
        yield Sample("billing_tick_last_success_timestamp_seconds", seen, (("tick", tick),))
    dead: Counter[str] = Counter(dict.fromkeys(DEAD.values(), 0))
    for row in count_open_work(session):
        yield Sample("billing_work_items", row["items"], (("kind", row["kind"]), ("status", row["status"])))
        if row["kind"] in DEAD:
            dead[DEAD[row["kind"]]] += row["items"]
    for thing, number in dead.items():
        yield Sample("billing_dead", number, (("thing", thing),))
    for line in provider_lines(session):
        account = (("provider", line["provider"]), ("account", line["code"]))
        yield Sample("billing_provider_breaker_open", int(line["tripped"]), account)
        yield Sample("billing_provider_throttled", line["throttled"], account)


def _audits(session: Session) -> Iterator[Sample]:
    facts = gauge(session)
    if facts is None:
        return
    for code, violations in sorted(facts["by_code"].items()):
        yield Sample("billing_audit_violations", violations, (("code", code),))
        yield Sample("billing_audit_accepted", facts["accepted"].get(code, 0), (("code", code),))
    for name, fact in _AUDIT.items():
        if facts[fact] is not None:
            yield Sample(name, facts[fact])


def _broker(parts: Parts) -> Iterable[Sample]:
    try:
        waiting = depths(parts.settings.broker_url or "")
    except Unavailable:
        return [Sample("billing_broker_up", 0)]
    queues = [Sample("billing_queue_messages", number, (("queue", queue),)) for queue, number in waiting.items()]
    return [Sample("billing_broker_up", 1), *queues]
