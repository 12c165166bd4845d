"""`/provider-events`: what providers told us about things of this seller's, and what became of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from sqlalchemy.orm import Session

from billing.api.documents import LookQuery
from billing.api.operation import Call, Operation, missing
from billing.api.shapes import Id, Instant, Listed, Paging, Shape, Version, Why, facts
from billing.flows import looking, operating
from billing.kernel.errors import Fault, Refused
from billing.queries.api.provider_events import provider_events, the_provider_event
from billing.validators.api_key import Scope


class ProviderEvent(Shape):
    """One delivery. `object_ref` is the provider's id of what it tells of."""

    id: Id
    provider: str
    provider_account: str
    event_ref: str
    type: str
    object_type: str
    object_ref: str
    status: str
    tries: int
    error: str | None
    occurred_at: Instant
    received_at: Instant
    handled_at: Instant | None
    next_try_at: Instant | None
    has_body: bool
    version: Version


class ProviderEventQuery(Paging):
    """About which object, by the provider's id; or those whose handling was given up."""

    object_ref: str | None = Field(default=None, min_length=1, max_length=255, pattern=r"^[^\x00]*$")
    status: Literal["dead"] | None = None


class ProviderEventBody(Shape):
    """As it arrived; it may be personal. Kept for 90 days after it was handled."""

    body: str


def _shown(session: Session, call: Call) -> ProviderEvent:
    row = the_provider_event(session, call.seller_id, call.id)
    if row is None:
        raise missing("provider_event")
    return facts(ProviderEvent, row)


def _show(call: Call) -> ProviderEvent:
    with call.parts.begin() as session:
        return _shown(session, call)


def _list(call: Call) -> Listed[ProviderEvent]:
    wanted: ProviderEventQuery = call.query
    if (wanted.object_ref is None) == (wanted.status is None):
        raise Refused(Fault("object_ref", "one_of_two", "give object_ref or status, one of them"))
    with call.parts.begin() as session:
        page = provider_events(
            session, call.seller_id, object_ref=wanted.object_ref, after=wanted.after, limit=wanted.limit
        )
    return Listed[ProviderEvent](data=[facts(ProviderEvent, row) for row in page.rows], next=page.next)


def _body(call: Call) -> ProviderEventBody:
    _show(call)
    order = call.bare_order(call.query.reason)
    raw = looking.open_body(call.parts, call.id, order=order, seller_id=call.seller_id)
    return ProviderEventBody(body=raw.decode(errors="replace"))


def _replay(call: Call) -> None:
    _show(call)
    order = call.order(lambda session: _shown(session, call), reason=call.body.reason)
    operating.replay_event(call.parts, call.id, order=order, seller_id=call.seller_id)


OPERATIONS = (
    Operation("GET", "/provider-events", "list_provider_events",
              "What a provider told us of one object of yours, or what could not be handled; newest first.",
              Scope.OPERATE, _list, Listed[ProviderEvent], query=ProviderEventQuery),
    Operation("GET", "/provider-events/{id}", "show_provider_event", "One of them.", Scope.OPERATE, _show,
              ProviderEvent),
    Operation("GET", "/provider-events/{id}/body", "show_provider_event_body", "Its body, as it arrived.",
              Scope.PERSONAL, _body, ProviderEventBody, query=LookQuery),
    Operation("POST", "/provider-events/{id}/replay", "replay_provider_event",
              "Have it handled anew; nothing is settled twice.", Scope.OPERATE, _replay, ProviderEvent, body=Why),
)  # fmt: skip
