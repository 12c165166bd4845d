"""Delivery: domain events are handed over to endpoints, and brought there with no transaction open, at least once.

The outbox is told in the order of its ids: an object's later event is not tried at an endpoint before its earlier one
was taken, or given up. A worker that dies between an answer and our record leaves a lease; the event is sent again with
the same `webhook-id`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import SystemRandom
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.delivery.hand_over import hand_over
from billing.commands.delivery.record import Tried, record_tries
from billing.commands.delivery.take import take_deliveries
from billing.commands.e_invoice.queue import ISSUE_TOPICS, queue_e_invoices
from billing.commands.endpoint.secrets import secrets_in_force
from billing.commands.key.obtain import endpoint_key
from billing.commands.notice.of_document import DOCUMENT_TOPICS, tell_of_documents
from billing.db.clock import wall_now
from billing.events.catalog import body
from billing.flows.handing import Receiver, hand
from billing.flows.links import document_addresses
from billing.flows.notices import mail_server
from billing.flows.parts import Parts
from billing.kernel.failpoints import failpoint
from billing.queries.endpoint import endpoint_to_try, endpoints_due
from billing.queue.buffer import after_commit
from billing.queue.names import DELIVERIES_SEND
from billing.rules.delivery import pause_s

HANDED_OVER = 5_000
"""Events that are handed over in one transaction."""
BATCH = 32
IN_FLIGHT = 16
"""Of a batch; each is of another object."""
IN_A_ROW = 8
"""Of those that run in this process."""
ROUND_S = 50.0
"""Wall seconds after which a round takes no more; the next tick goes on."""
_chance = SystemRandom()


@dataclass(frozen=True, slots=True)
class Event:
    """One that was taken for an endpoint, and the body that is sent."""

    row: Any
    text: bytes = field(repr=False)


def sweep(parts: Parts) -> int:
    """Hand over all that is new, with its mails, and wake a worker for each endpoint with something due.

    Returns how many events were handed over.
    """
    handed, end = 0, time.monotonic() + ROUND_S
    # Without a mail server nobody is told, and nothing is written that would wait for one.
    mailed = DOCUMENT_TOPICS if mail_server(parts) else ()
    countries = parts.settings.e_invoice_transports.keys()
    watched = {*mailed, *(ISSUE_TOPICS if countries else ())}
    while True:
        with parts.begin() as session:
            count, documents = hand_over(session, most=HANDED_OVER, watched=watched)
            queue_e_invoices(session, documents, countries=countries)
            if mailed:
                tell_of_documents(session, documents, now=parts.clock.now(session))
            failpoint("delivery.handed_over")
        handed += count
        if count < HANDED_OVER or time.monotonic() > end:
            break
    with parts.begin() as session:
        for id_ in endpoints_due(session):
            after_commit(session, DELIVERIES_SEND, id_)
    return handed


def deliver(parts: Parts, endpoint_id: UUID) -> int:
    """Bring what is due to one endpoint, round after round. Returns how many tries were made and recorded."""
    made, end = 0, time.monotonic() + ROUND_S
    while time.monotonic() < end:
        receiver, rows = _take(parts, endpoint_id)
        if receiver is None or not rows:
            break
        failpoint("delivery.taken")
        tried = _hand_all(parts, receiver, rows)
        failpoint("delivery.answered")
        with parts.begin() as session:
            made += record_tries(
                session,
                endpoint_id=endpoint_id,
                tried=tried,
                pauses_s=parts.settings.endpoint_pause_s,
                now=parts.clock.now(session),
            )
            failpoint("delivery.record")
        failpoint("delivery.recorded")
    return made


def _take(parts: Parts, endpoint_id: UUID) -> tuple[Receiver | None, Sequence[Event]]:
    """The endpoint with its open secrets, and the events that are taken for it: one alone while it fails."""
    with parts.begin() as session:
        endpoint = endpoint_to_try(session, endpoint_id)
        if endpoint is None:
            return None, ()
        key = endpoint_key(session, parts.keyring, endpoint_id=endpoint_id)
        receiver = Receiver(endpoint.target, secrets_in_force(endpoint, key=key, wall=wall_now(session)))
        lease_s = _lease_s(parts, receiver)
        most = 1 if endpoint.streak else IN_A_ROW if receiver.in_process else BATCH
        rows = take_deliveries(session, endpoint_id=endpoint_id, lease_s=lease_s, most=most)
        addresses = _addresses(parts, session, rows) if endpoint.document_links else {}
        return receiver, [Event(row, text_of(row, addresses.get(row.id))) for row in rows]


def _addresses(parts: Parts, session: Session, rows: Sequence[Any]) -> dict[UUID, str]:
    """Of events that tell of a document: where its customer opens it. Made here, since a link is kept nowhere."""
    of = {row.id: row for row in rows if row.topic in DOCUMENT_TOPICS}
    # Of a row's own moment, so that each try of an event says the same.
    found = document_addresses(parts, session, {row.object_id: row.created_at for row in of.values()})
    return {id_: found[row.object_id] for id_, row in of.items() if row.object_id in found}


def _lease_s(parts: Parts, receiver: Receiver) -> float:
    """For the whole batch. What runs in this process ends with the task's own limit at the latest."""
    if receiver.in_process:
        return float(parts.settings.billing_task_limit_s)
    connect_s, read_s = parts.settings.post_timeouts_s
    return max(parts.settings.lease_s, BATCH / IN_FLIGHT * (2 * connect_s + read_s))


def _hand_all(parts: Parts, receiver: Receiver, rows: Sequence[Event]) -> list[Tried]:
    """What runs in this process does so one after the other, in the order in which it happened."""
    if receiver.in_process or len(rows) == 1:
        return [_hand_one(parts, receiver, row) for row in sorted(rows, key=lambda each: each.row.id)]
    with ThreadPoolExecutor(min(IN_FLIGHT, len(rows))) as pool:
        return list(pool.map(lambda row: _hand_one(parts, receiver, row), rows))


def _hand_one(parts: Parts, receiver: Receiver, event: Event) -> Tried:
    row = event.row
    began = time.monotonic()
    answer = hand(parts, receiver, event.text, id_=row.id)
    took_ms = round((time.monotonic() - began) * 1000)
    step_s = pause_s(parts.settings.delivery_back_off_s, row.tries)
    return Tried(row.id, row.token, answer.outcome, took_ms, max(step_s * _chance.uniform(0.8, 1.2), answer.wait_s))


def text_of(row: Any, document_url: str | None) -> bytes:
    """The body that is sent and signed."""
    payload = row.payload if document_url is None else {**row.payload, "document_url": document_url}
    event = body(
        id_=row.id,
        seller_id=row.seller_id,
        topic=row.topic,
        object_type=row.object_type,
        object_id=row.object_id,
        occurred_at=row.occurred_at,
        payload=payload,
    )
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
