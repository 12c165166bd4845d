"""`/work-items`, `/events`, `/endpoints`: what needs a person, what happened, and who hears of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pydantic import Field
from sqlalchemy.orm import Session

from billing.api.operation import Call, Operation, missing
from billing.api.shapes import Code, Id, Instant, Listed, Minor, Paging, Shape, Version, Why, facts
from billing.flows import endpoints as hearing
from billing.flows import working
from billing.flows.working import Action
from billing.queries.api.operations import endpoints, events, the_endpoint, the_event, the_work_item, work_items
from billing.validators.api_key import Scope
from billing.validators.endpoint import NewEndpoint


class WorkItem(Shape):
    """What needs a person or another try, in billing words."""

    id: Id
    kind: str
    status: str
    summary: str
    subject_type: str
    subject_id: Id
    profile_id: Id | None
    amount_minor: Minor | None
    currency: str | None
    error: str | None
    tries: int
    next_try_at: Instant | None
    safe_actions: list[str]
    seen_at: Instant
    closed_at: Instant | None
    version: Version


class WorkQuery(Paging):
    """In which state; open ones unless said."""

    status: Literal["open", "parked", "resolved", "discarded"] = "open"


class ActionGiven(Why):
    """One of the item's safe actions."""

    action: Action = Field(strict=False)


class Event(Shape):
    """What happened, as endpoints hear of it; `data` by its topic's schema."""

    id: Id
    topic: str
    object_type: str
    object_id: Id
    occurred_at: Instant
    data: dict[str, object]


class EventQuery(Paging):
    """Newest first."""


class EndpointCreate(Why):
    """Where events are posted to. `topics`: such as `invoice.paid` or `invoice.*`; none is all of them."""

    code: Code
    target: str = Field(min_length=1, max_length=2000)
    topics: list[str] = Field(default_factory=list, max_length=100)


class RotateGiven(Why):
    """For how long the former secret signs too; 0 ends it now."""

    keep_hours: int = Field(default=24, ge=0, le=720)


class ReplayGiven(Why):
    """From an instant of business time until before another."""

    since: Instant
    until: Instant


class Endpoint(Shape):
    """A receiver of events."""

    id: Id
    code: str
    target: str
    topics: list[str]
    status: str
    off_reason: str | None
    delivered_at: Instant | None
    created_at: Instant
    version: Version


class EndpointSecret(Shape):
    """An endpoint, and its signing secret, told this once."""

    endpoint: Endpoint
    secret: str


def _item(session: Session, call: Call) -> WorkItem:
    row = the_work_item(session, call.seller_id, call.id)
    if row is None:
        raise missing("work_item")
    return facts(WorkItem, row)


def _show_item(call: Call) -> WorkItem:
    with call.parts.begin() as session:
        return _item(session, call)


def _items(call: Call) -> Listed[WorkItem]:
    wanted: WorkQuery = call.query
    with call.parts.begin() as session:
        page = work_items(session, call.seller_id, status=wanted.status, after=wanted.after, limit=wanted.limit)
    return Listed[WorkItem](data=[facts(WorkItem, row) for row in page.rows], next=page.next)


def _act(call: Call) -> None:
    _show_item(call)
    given: ActionGiven = call.body
    order = call.order(lambda session: _item(session, call), reason=given.reason)
    working.act(call.parts, call.id, action=given.action, order=order)
    if call.answer is None:
        # It was closed already: nothing was asked of the provider, and nothing done.
        call.do(lambda session: _item(session, call))


def _show_event(call: Call) -> Event:
    with call.parts.begin() as session:
        row = the_event(session, call.seller_id, call.id)
    if row is None:
        raise missing("event")
    return facts(Event, row)


def _events(call: Call) -> Listed[Event]:
    with call.parts.begin() as session:
        page = events(session, call.seller_id, after=call.paging.after, limit=call.paging.limit)
    return Listed[Event](data=[facts(Event, row) for row in page.rows], next=page.next)


def _endpoint(session: Session, call: Call) -> Endpoint:
    row = the_endpoint(session, call.seller_id, call.id)
    if row is None:
        raise missing("endpoint")
    return facts(Endpoint, row)


def _show_endpoint(call: Call) -> Endpoint:
    with call.parts.begin() as session:
        return _endpoint(session, call)


def _endpoints(call: Call) -> Listed[Endpoint]:
    with call.parts.begin() as session:
        page = endpoints(session, call.seller_id, after=call.paging.after, limit=call.paging.limit)
    return Listed[Endpoint](data=[facts(Endpoint, row) for row in page.rows], next=page.next)


def _add(call: Call) -> None:
    given: EndpointCreate = call.body
    new = NewEndpoint(given.code, given.target, tuple(given.topics))
    hearing.require_possible(call.parts, new)

    def act(session: Session) -> EndpointSecret:
        order = call.bare_order(given.reason)
        made = hearing.add_within(call.parts, session, seller_id=call.seller_id, new=new, order=order)
        row = the_endpoint(session, call.seller_id, made.done.subject_id)
        assert row is not None
        return EndpointSecret(endpoint=facts(Endpoint, row), secret=made.secret)

    call.do(act)


def _rotate(call: Call) -> None:
    given: RotateGiven = call.body
    _show_endpoint(call)

    def act(session: Session) -> EndpointSecret:
        order = call.bare_order(given.reason)
        made = hearing.rotate_within(call.parts, session, call.id, keep_hours=given.keep_hours, order=order)
        return EndpointSecret(endpoint=_endpoint(session, call), secret=made.secret)

    call.do(act)


def _on(call: Call) -> None:
    _show_endpoint(call)
    hearing.turn_on(call.parts, call.id, order=call.order(_told(call), reason=call.body.reason))


def _off(call: Call) -> None:
    _show_endpoint(call)
    hearing.turn_off(call.parts, call.id, order=call.order(_told(call), reason=call.body.reason))


def _replay(call: Call) -> None:
    _show_endpoint(call)
    given: ReplayGiven = call.body
    order = call.order(_told(call), reason=given.reason)
    hearing.replay(call.parts, call.id, since=given.since, until=given.until, order=order)


def _told(call: Call) -> Callable[[Session], Shape]:
    return lambda session: _endpoint(session, call)


OPERATIONS = (
    Operation("GET", "/work-items", "list_work_items", "Work items, newest first.", Scope.READ, _items,
              Listed[WorkItem], query=WorkQuery),
    Operation("GET", "/work-items/{id}", "show_work_item", "One work item.", Scope.READ, _show_item, WorkItem),
    Operation("POST", "/work-items/{id}/act", "act_on_work_item", "Do one of its safe actions.", Scope.OPERATE, _act,
              WorkItem, body=ActionGiven, versioned=True),
    Operation("GET", "/events", "list_events", "What happened, newest first.", Scope.READ, _events, Listed[Event],
              query=EventQuery),
    Operation("GET", "/events/{id}", "show_event", "One event.", Scope.READ, _show_event, Event),
    Operation("GET", "/endpoints", "list_endpoints", "Endpoints, in the order of their codes.", Scope.READ, _endpoints,
              Listed[Endpoint], query=Paging),
    Operation("POST", "/endpoints", "add_endpoint", "Have events posted to an address.", Scope.OPERATE, _add,
              EndpointSecret, body=EndpointCreate, status=201),
    Operation("GET", "/endpoints/{id}", "show_endpoint", "One endpoint.", Scope.READ, _show_endpoint, Endpoint),
    Operation("POST", "/endpoints/{id}/rotate", "rotate_endpoint", "A new signing secret.", Scope.OPERATE, _rotate,
              EndpointSecret, body=RotateGiven, versioned=True),
    Operation("POST", "/endpoints/{id}/on", "turn_on_endpoint", "It hears what it missed, and goes on.", Scope.OPERATE,
              _on, Endpoint, body=Why, versioned=True),
    Operation("POST", "/endpoints/{id}/off", "turn_off_endpoint", "It hears nothing more.", Scope.OPERATE, _off,
              Endpoint, body=Why, versioned=True),
    Operation("POST", "/endpoints/{id}/replay", "replay_events", "Deliver a range of events again.",
              Scope.OPERATE, _replay, Endpoint, body=ReplayGiven, versioned=True),
)  # fmt: skip
