"""`/endpoints`: who hears of what happens, and what became of each delivery."""

from __future__ import annotations

from collections.abc import Callable
from uuid import NAMESPACE_URL, uuid5

from pydantic import Field
from sqlalchemy.orm import Session

from billing.api.operation import Call, Operation, missing
from billing.api.shapes import Code, Id, Instant, Listed, Paging, Shape, Version, Why, facts
from billing.delivery.post import TAKEN
from billing.flows import endpoints as hearing
from billing.queries.api.operations import deliveries, endpoints, the_endpoint
from billing.validators.api_key import Scope
from billing.validators.endpoint import NewEndpoint


class EndpointCreate(Why):
    """Where events are posted to. `topics`: such as `invoice.paid` or `invoice.*`; none is all of them.

    `document_links`: events of a document say where it is opened, which shows names and addresses. Asking for it needs
    the scope `personal:read` as well; unless said, it is so where the key has that.
    """

    code: Code
    target: str = Field(min_length=1, max_length=2000)
    topics: list[str] = Field(default_factory=list, max_length=100)
    document_links: bool | None = None


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
    document_links: bool
    status: str
    off_reason: str | None
    delivered_at: Instant | None
    created_at: Instant
    version: Version


class EndpointSecret(Shape):
    """An endpoint, and its signing secret, told this once."""

    endpoint: Endpoint
    secret: str


class ContactGiven(Why):
    """Who is told by mail when it is switched off; null: nobody. Kept sealed, and shown by no answer."""

    address: str | None = Field(max_length=254)


class EndpointTested(Shape):
    """What became of the test event: `delivered`, or a code such as `http_500` or `timed_out`."""

    event_id: Id
    outcome: str


class Delivery(Shape):
    """An event on its way to an endpoint, or there. `outcome`: how the last try ended."""

    event_id: Id
    topic: str | None
    status: str
    tries: int
    outcome: str | None
    next_try_at: Instant | None
    closed_at: Instant | None


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
    if given.document_links:
        call.require(Scope.PERSONAL)
    links = Scope.PERSONAL in call.scopes if given.document_links is None else given.document_links
    new = NewEndpoint(given.code, given.target, tuple(given.topics), document_links=links)
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


def _contact(call: Call) -> None:
    _show_endpoint(call)
    given: ContactGiven = call.body
    hearing.contact(call.parts, call.id, address=given.address, order=call.order(_told(call), reason=given.reason))


def _test(call: Call) -> None:
    _show_endpoint(call)
    # A repeat after a crash is the same event again, which a receiver knows by its id.
    event_id = uuid5(NAMESPACE_URL, f"billing/{call.seller_id}/test/{call.key}")
    order = call.bare_order(call.body.reason)
    done = hearing.test(call.parts, call.id, order=order, event_id=event_id)
    call.do(lambda _: EndpointTested(event_id=event_id, outcome=done.refused or TAKEN))


def _deliveries(call: Call) -> Listed[Delivery]:
    _show_endpoint(call)
    with call.parts.begin() as session:
        page = deliveries(
            session, call.seller_id, endpoint_id=call.id, after=call.paging.after, limit=call.paging.limit
        )
    return Listed[Delivery](data=[facts(Delivery, row) for row in page.rows], next=page.next)


OPERATIONS = (
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
    Operation("POST", "/endpoints/{id}/contact", "set_endpoint_contact", "Who is told by mail when it goes off.",
              Scope.OPERATE, _contact, Endpoint, body=ContactGiven, versioned=True),
    Operation("POST", "/endpoints/{id}/test", "test_endpoint", "Post one event of the topic endpoint.test now.",
              Scope.OPERATE, _test, EndpointTested, body=Why, versioned=True),
    Operation("GET", "/endpoints/{id}/deliveries", "list_deliveries", "What it was to hear of, newest first.",
              Scope.READ, _deliveries, Listed[Delivery], query=Paging),
)  # fmt: skip
