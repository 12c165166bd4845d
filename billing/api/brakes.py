"""`/brakes`: charging and issuing are stopped and started, of everything or of one customer."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import Field
from sqlalchemy.orm import Session

from billing.api.operation import Call, Operation
from billing.api.shapes import Id, Instant, Shape, Why, facts
from billing.flows import braking
from billing.flows.order import Done
from billing.kernel.errors import Fault, Refused
from billing.queries.api.brakes import brakes
from billing.queries.api.profiles import the_profile
from billing.queries.brakes import BrakeKind
from billing.validators.api_key import Scope


class BrakeGiven(Why):
    """What is stopped or started: of one customer, or, without one, of all of yours."""

    kind: BrakeKind = Field(strict=False)
    profile_id: Id | None = None


class Brake(Shape):
    """What is stopped, for whom and why. Without `profile_id` it holds all customers; `wide`: those of every seller."""

    id: Id
    kind: BrakeKind
    profile_id: Id | None
    wide: bool
    reason: str
    stopped_at: Instant


class Brakes(Shape):
    """What is stopped now, oldest first."""

    data: list[Brake]


def _told(session: Session, call: Call) -> Brakes:
    return Brakes(data=[facts(Brake, row) for row in brakes(session, call.seller_id)])


def _show(call: Call) -> Brakes:
    with call.parts.begin() as session:
        return _told(session, call)


def _act(flow: Callable[..., Done]) -> Callable[[Call], None]:
    def act(call: Call) -> None:
        given: BrakeGiven = call.body
        if given.profile_id is not None:
            with call.parts.begin() as session:
                if the_profile(session, call.seller_id, given.profile_id) is None:
                    raise Refused(Fault("profile_id", "profile_not_found", "give the id of a profile of yours"))
        flow(
            call.parts,
            given.kind,
            seller_id=call.seller_id,
            profile_id=given.profile_id,
            order=call.order(lambda session: _told(session, call), reason=given.reason),
        )

    return act


OPERATIONS = (
    Operation("GET", "/brakes", "list_brakes", "What is stopped now.", Scope.READ, _show, Brakes),
    Operation("POST", "/brakes/stop", "stop_brake", "Stop charging or issuing within seconds.", Scope.OPERATE,
              _act(braking.stop), Brakes, body=BrakeGiven),
    Operation("POST", "/brakes/start", "start_brake", "Start it again; the next sweep catches up.", Scope.OPERATE,
              _act(braking.start), Brakes, body=BrakeGiven),
)  # fmt: skip
