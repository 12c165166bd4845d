"""What an operator orders about endpoints: add, rotate, switch on and off, replay, test. Each stands in the trail."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.delivery.replay import replay as deliver_again
from billing.commands.endpoint.contact import set_contact
from billing.commands.endpoint.create import create_endpoint
from billing.commands.endpoint.rotate import rotate_secret
from billing.commands.endpoint.secrets import secrets_in_force
from billing.commands.endpoint.switch import switch_off, switch_on
from billing.commands.expected_version import require_version
from billing.commands.key.obtain import endpoint_key
from billing.commands.work_item.close import close_for
from billing.db.base import Json
from billing.db.clock import wall_now
from billing.delivery.address import is_allowed, literal
from billing.delivery.post import TAKEN
from billing.events.catalog import body
from billing.events.topics import Topic
from billing.flows.handing import Receiver, hand
from billing.flows.order import Done, Order, carry_out, note
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.kernel.status import EndpointStatus
from billing.kernel.work import WorkKind
from billing.models import Endpoint, OutboxEvent
from billing.queries.endpoint import lock_endpoint
from billing.queue.buffer import after_commit
from billing.queue.names import DELIVERIES_SEND
from billing.validators.endpoint import IN_PROCESS, NewEndpoint, check_contact, check_new_endpoint

BY_ORDER = "by order"
"""Why an endpoint is off that a person switched off."""


@dataclass(frozen=True, slots=True)
class Secret:
    """What was done, and a signing secret that is told this once."""

    done: Done
    secret: str


def require_possible(parts: Parts, new: NewEndpoint) -> None:
    """Raise `Refused` with every fault that can be seen without the database."""
    settings = parts.settings
    topics = [topic for topic in Topic if topic is not Topic.ENDPOINT_TEST]
    allowed = settings.endpoint_networks
    check_new_endpoint(new, topics=topics, subscribers=settings.subscribers, plain=bool(allowed))
    address = None if new.target.startswith(IN_PROCESS) else literal(urlsplit(new.target).hostname or "")
    if address is not None and not is_allowed(address, allowed=allowed):
        mend = "give a public address, or name its network in BILLING_ENDPOINT_NETWORKS, in every process"
        raise Refused(Fault("target", "address_not_allowed", mend))


def add(parts: Parts, *, seller_id: UUID, new: NewEndpoint, order: Order) -> Secret:
    """A new endpoint. Raises `Refused`: those of `require_possible`, `endpoint_code_taken`."""
    require_possible(parts, new)
    with carry_out(parts, order) as session:
        return add_within(parts, session, seller_id=seller_id, new=new, order=order)


def add_within(parts: Parts, session: Session, *, seller_id: UUID, new: NewEndpoint, order: Order) -> Secret:
    """As `add`, of one that is possible, in the caller's transaction."""
    endpoint, secret = create_endpoint(session, parts.keyring, seller_id=seller_id, new=new)
    _note(
        parts,
        session,
        order,
        endpoint,
        action="endpoint.add",
        before={},
        after={"target": new.target, "topics": endpoint.topics, "document_links": new.document_links},
    )
    told = "added; it hears of what happens from now on"
    return Secret(Done(endpoint.id, endpoint.code, changed=True, told=told), secret)


def rotate(parts: Parts, endpoint_id: UUID, *, keep_hours: int, order: Order) -> Secret:
    """A new secret; the former one signs beside it for so long. Raises as `rotate_secret` does."""
    with carry_out(parts, order) as session:
        return rotate_within(parts, session, endpoint_id, keep_hours=keep_hours, order=order)


def rotate_within(parts: Parts, session: Session, endpoint_id: UUID, *, keep_hours: int, order: Order) -> Secret:
    """As `rotate`, in the caller's transaction."""
    endpoint = _locked(session, endpoint_id, order)
    wall = wall_now(session)
    secret = rotate_secret(session, parts.keyring, endpoint=endpoint, keep_hours=keep_hours, wall=wall)
    _note(
        parts,
        session,
        order,
        endpoint,
        action="endpoint.rotate",
        before={},
        after={"former_kept_hours": keep_hours},
    )
    told = f"it has a new secret; the former one signs too for {keep_hours} h"
    return Secret(Done(endpoint.id, endpoint.code, changed=True, told=told), secret)


def contact(parts: Parts, endpoint_id: UUID, *, address: str | None, order: Order) -> Done:
    """Whom to tell by mail when it is switched off; None: nobody. The trail tells of the change, not the address.

    Raises `Refused` (`not_an_email`).
    """
    check_contact(address)
    with carry_out(parts, order) as session:
        endpoint = _locked(session, endpoint_id, order)
        before = {"contact": endpoint.contact is not None}
        set_contact(session, parts.keyring, endpoint=endpoint, address=address)
        after = {"contact": address is not None}
        _note(parts, session, order, endpoint, action="endpoint.contact", before=before, after=after)
        told = "its owner is told by mail when it goes off" if address else "nobody is told by mail"
        return Done(endpoint.id, endpoint.code, changed=True, told=told)


def turn_on(parts: Parts, endpoint_id: UUID, *, order: Order) -> Done:
    """It hears again, and first of what happened meanwhile. One that is on is left alone."""
    with carry_out(parts, order) as session:
        endpoint = _locked(session, endpoint_id, order)
        if endpoint.status == EndpointStatus.ON:
            return Done(endpoint.id, endpoint.code, changed=False, told="it is on already; nothing was changed")
        before = {"status": endpoint.status, "reason": endpoint.off_reason}
        missed = switch_on(session, endpoint=endpoint)
        close_for(session, kind=WorkKind.ENDPOINT_OFF, subject_id=endpoint.id, now=parts.clock.now(session))
        _note(
            parts,
            session,
            order,
            endpoint,
            action="endpoint.on",
            before=before,
            after={"status": endpoint.status, "missed": missed},
        )
        after_commit(session, DELIVERIES_SEND, endpoint.id)
        return Done(endpoint.id, endpoint.code, changed=True, told=f"on; it gets {missed} events of the meantime")


def turn_off(parts: Parts, endpoint_id: UUID, *, order: Order) -> Done:
    """It gets nothing more until it is on again. One that is off is left alone."""
    with carry_out(parts, order) as session:
        endpoint = _locked(session, endpoint_id, order)
        if endpoint.status == EndpointStatus.OFF:
            return Done(endpoint.id, endpoint.code, changed=False, told="it is off already; nothing was changed")
        switch_off(session, endpoint=endpoint, reason=BY_ORDER)
        _note(
            parts,
            session,
            order,
            endpoint,
            action="endpoint.off",
            before={"status": "on"},
            after={"status": endpoint.status},
        )
        return Done(endpoint.id, endpoint.code, changed=True, told="off; what happens meanwhile waits for it")


def replay(parts: Parts, endpoint_id: UUID, *, since: datetime, until: datetime, order: Order) -> Done:
    """What happened from `since` until before `until` (business time) is delivered again, each under its old id.

    Raises `Refused` (`range_empty`, `endpoint_is_off`).
    """
    if since >= until:
        raise Refused(Fault("to", "range_empty", "give an instant after the first"))
    with carry_out(parts, order) as session:
        endpoint = _that_is_on(session, endpoint_id, order)
        count = deliver_again(session, endpoint_id=endpoint_id, since=since, until=until)
        span = {"from": since.isoformat(), "to": until.isoformat(), "events": count}
        _note(parts, session, order, endpoint, action="endpoint.replay", before={}, after=span)
        after_commit(session, DELIVERIES_SEND, endpoint.id)
        told = f"{count} events are delivered again" if count else "no event of that range; nothing was changed"
        return Done(endpoint.id, endpoint.code, changed=count > 0, told=told)


def replay_one(parts: Parts, endpoint_id: UUID, event_id: UUID, *, order: Order) -> Done:
    """As `replay`, of one event. Raises `Refused`: `event_not_found`, `endpoint_is_off`."""
    with carry_out(parts, order) as session:
        endpoint = _that_is_on(session, endpoint_id, order)
        event = session.get(OutboxEvent, event_id)
        if event is None or event.seller_id != endpoint.seller_id:
            raise Refused(Fault("event", "event_not_found", "it may have been purged"))
        until = event.occurred_at + timedelta(microseconds=1)
        again = deliver_again(session, endpoint_id=endpoint_id, since=event.occurred_at, until=until, event_id=event_id)
        _note(parts, session, order, endpoint, action="endpoint.replay", before={}, after={"event": str(event_id)})
        after_commit(session, DELIVERIES_SEND, endpoint.id)
        told = "it is delivered again" if again else "it waits already, or is not for this endpoint"
        return Done(endpoint.id, endpoint.code, changed=again > 0, told=told)


def _that_is_on(session: Session, endpoint_id: UUID, order: Order) -> Endpoint:
    endpoint = _locked(session, endpoint_id, order)
    if endpoint.status == EndpointStatus.OFF:
        raise Refused(Fault("endpoint", "endpoint_is_off", "switch it on first; that brings what it missed"))
    return endpoint


def test(parts: Parts, endpoint_id: UUID, *, event_id: UUID, order: Order) -> Done:
    """Send `endpoint.test` now, also to one that is off, and tell what came back. It is not tried again.

    `event_id`: what the receiver knows it by.
    """
    with carry_out(parts, order) as session:
        endpoint = _locked(session, endpoint_id, order)
        key = endpoint_key(session, parts.keyring, endpoint_id=endpoint_id)
        receiver = Receiver(endpoint.target, secrets_in_force(endpoint, key=key, wall=wall_now(session)))
        code, seller_id, now = endpoint.code, endpoint.seller_id, parts.clock.now(session)
        _note(parts, session, order, endpoint, action="endpoint.test", before={}, after={"event": str(event_id)})
    if order.dry_run:
        return Done(endpoint_id, code, changed=False, told="one event of the topic endpoint.test would be sent")
    event = body(
        id_=event_id,
        seller_id=seller_id,
        topic=Topic.ENDPOINT_TEST,
        object_type="endpoint",
        object_id=endpoint_id,
        occurred_at=now,
        payload={"endpoint_id": str(endpoint_id)},
    )
    answer = hand(parts, receiver, json.dumps(event, separators=(",", ":")).encode(), id_=event_id)
    if answer.outcome == TAKEN:
        return Done(endpoint_id, code, changed=True, told=f"it took event {event_id}{_by_whose_setting(parts)}")
    return Done(endpoint_id, code, changed=True, told=f"it did not take event {event_id}", refused=answer.outcome)


def _by_whose_setting(parts: Parts) -> str:
    """What this process may post to, a worker may not where it was started with another setting."""
    if not parts.settings.endpoint_networks:
        return ""
    return ", sent by this process with its BILLING_ENDPOINT_NETWORKS; workers go by theirs"


def _locked(session: Session, endpoint_id: UUID, order: Order) -> Endpoint:
    endpoint = lock_endpoint(session, endpoint_id)
    require_version(endpoint, order.expected_version)
    return endpoint


def _note(
    parts: Parts, session: Session, order: Order, endpoint: Endpoint, *, action: str, before: Json, after: Json
) -> None:
    note(
        parts,
        session,
        order,
        action=action,
        subject_type="endpoint",
        subject_id=endpoint.id,
        seller_id=endpoint.seller_id,
        before=before,
        after=after,
    )
