"""`/work-items`, `/events`: what needs a person, and what happened."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import Field
from sqlalchemy.orm import Session

from billing.api.operation import Call, Operation, missing
from billing.api.shapes import Id, Instant, Listed, Minor, Paging, Shape, Version, Why, facts
from billing.flows import working
from billing.flows.working import Action
from billing.kernel.errors import Fault, Refused
from billing.kernel.findings import findings_digest
from billing.queries.api.operations import events, the_event, the_work_item, work_items
from billing.validators.api_key import Scope


class Finding(Shape):
    """What the audit says of a thing: which invariant it breaks, and how."""

    code: str
    subject_type: str
    subject_id: str
    detail: str


class WorkItemListed(Shape):
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


class WorkItem(WorkItemListed):
    """The same with all that an audit says of it. `findings_digest` stands for just that, to accept it by."""

    findings: list[Finding] | None
    findings_digest: str | None


class WorkQuery(Paging):
    """In which state; open ones unless said."""

    status: Literal["open", "parked", "resolved", "discarded"] = "open"


class ActionGiven(Why):
    """One of the item's safe actions, but for those that settle money. To `accept` needs `findings_digest` as the item
    shows it: what an audit said in other words meanwhile is refused as `stale`."""

    action: Literal["retry", "park", "accept", "discard", "adopt", "reread", "release", "merge", "skip"]
    findings_digest: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")


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
    findings = row["findings"]
    return facts(WorkItem, row | {"findings_digest": None if findings is None else findings_digest(findings)})


def _show_item(call: Call) -> WorkItem:
    with call.parts.begin() as session:
        return _item(session, call)


def _items(call: Call) -> Listed[WorkItemListed]:
    wanted: WorkQuery = call.query
    with call.parts.begin() as session:
        page = work_items(session, call.seller_id, status=wanted.status, after=wanted.after, limit=wanted.limit)
    return Listed[WorkItemListed](data=[facts(WorkItemListed, row) for row in page.rows], next=page.next)


def _act(call: Call) -> None:
    _show_item(call)
    given: ActionGiven | SettledGiven = call.body
    order = call.order(lambda session: _item(session, call), reason=given.reason)
    if isinstance(given, ActionGiven) and given.action == "accept":
        if given.findings_digest is None:
            raise Refused(Fault("findings_digest", "findings_digest_missing", "give it as the work item shows it"))
        order = replace(order, expected_findings=given.findings_digest)
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
              Listed[WorkItemListed], query=WorkQuery),
    Operation("GET", "/work-items/{id}", "show_work_item", "One work item.", Scope.READ, _show_item, WorkItem),
    Operation("POST", "/work-items/{id}/act", "act_on_work_item", "Do one of its safe actions.", Scope.OPERATE, _act,
              WorkItem, body=ActionGiven, versioned=True),
    Operation("POST", "/work-items/{id}/settle", "settle_work_item", "Settle what is owed, or send it back.",
              Scope.MONEY, _act, WorkItem, body=SettledGiven, versioned=True),
    Operation("GET", "/events", "list_events", "What happened, newest first.", Scope.READ, _events, Listed[Event],
              query=EventQuery),
    Operation("GET", "/events/{id}", "show_event", "One event.", Scope.READ, _show_event, Event),
)  # fmt: skip
