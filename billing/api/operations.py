"""`/work-items`, `/events`: what needs a person, and what happened."""

from __future__ import annotations

from typing import Literal

from sqlalchemy.orm import Session

from billing.api.operation import Call, Operation, missing
from billing.api.shapes import Id, Instant, Listed, Minor, Paging, Shape, Version, Why, facts
from billing.flows import working
from billing.flows.working import Action
from billing.queries.api.operations import events, the_event, the_work_item, work_items
from billing.validators.api_key import Scope


class Finding(Shape):
    """What the audit says of a thing: which invariant it breaks, and how."""

    code: str
    subject_type: str
    subject_id: str
    detail: str


class WorkItem(Shape):
    """What needs a person or another try, in billing words. `findings` are all that an audit says of it."""

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
    findings: list[Finding] | None
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
    """One of the item's safe actions, but for those that settle money."""

    action: Literal["retry", "park", "accept", "discard", "adopt", "reread", "release", "merge", "skip"]


class SettledGiven(Why):
    """How what a failed refund owes, or what is kept apart, is settled (`reason` is the reference of what was paid
    another way), or that money which is kept apart goes back."""

    action: Literal["credit", "paid", "refund"]


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
    given: ActionGiven | SettledGiven = call.body
    order = call.order(lambda session: _item(session, call), reason=given.reason)
    working.act(call.parts, call.id, action=Action(given.action), order=order)
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


OPERATIONS = (
    Operation("GET", "/work-items", "list_work_items", "Work items, newest first.", Scope.READ, _items,
              Listed[WorkItem], query=WorkQuery),
    Operation("GET", "/work-items/{id}", "show_work_item", "One work item.", Scope.READ, _show_item, WorkItem),
    Operation("POST", "/work-items/{id}/act", "act_on_work_item", "Do one of its safe actions.", Scope.OPERATE, _act,
              WorkItem, body=ActionGiven, versioned=True),
    Operation("POST", "/work-items/{id}/settle", "settle_work_item", "Settle what is owed, or send it back.",
              Scope.MONEY, _act, WorkItem, body=SettledGiven, versioned=True),
    Operation("GET", "/events", "list_events", "What happened, newest first.", Scope.READ, _events, Listed[Event],
              query=EventQuery),
    Operation("GET", "/events/{id}", "show_event", "One event.", Scope.READ, _show_event, Event),
)  # fmt: skip
