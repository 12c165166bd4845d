"""What can be done about an endpoint of the host application, and about one event that left for it."""

from __future__ import annotations

from uuid import UUID

from billing.flows import endpoints
from billing.flows.order import Done, Order
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_id
from billing.queries.operations.paging import Facts
from billing.rules.permission import Permission
from billing.views.console.acting.act import Act, Field, Given
from billing.views.console.acting.reading import instant


def _test(parts: Parts, id_: UUID, _: Given, order: Order) -> Done:
    return endpoints.test(parts, id_, event_id=new_id(), order=order)


def _on(parts: Parts, id_: UUID, _: Given, order: Order) -> Done:
    return endpoints.turn_on(parts, id_, order=order)


def _off(parts: Parts, id_: UUID, _: Given, order: Order) -> Done:
    return endpoints.turn_off(parts, id_, order=order)


def _replay(parts: Parts, id_: UUID, given: Given, order: Order) -> Done:
    since, until = (instant(given.get(name, ""), field=name) for name in ("from", "to"))
    return endpoints.replay(parts, id_, since=since, until=until, order=order)


def _replay_one(parts: Parts, id_: UUID, given: Given, order: Order) -> Done:
    try:
        endpoint_id = UUID(given.get("endpoint", ""))
    except ValueError:
        raise Refused(Fault("endpoint", "endpoint_not_found", "choose one of the list")) from None
    return endpoints.replay_one(parts, endpoint_id, id_, order=order)


def _heard_by(facts: Facts) -> list[tuple[str, str]]:
    return [(str(row["endpoint_id"]), row["endpoint"]) for row in facts["deliveries"]]


def _is(status: str, facts: Facts) -> bool:
    return bool(facts["status"] == status)


ROTATE = Act(
    "rotate", "New secret",
    "Makes a new signing secret and tells it once. 0 hours end the former one now: after a leak.",
    lambda _: True, Permission.KEYS, own_address=True, can_try=False,
    fields=(Field("keep_hours", "Hours that the former one signs too", first=lambda _: "24", numeric=True),),
)  # fmt: skip

ENDPOINT = (
    Act(
        "test", "Send a test", "Sends one event of the topic endpoint.test now, and tells what came back.",
        lambda _: True, do=_test,
    ),
    Act(
        "on", "Switch on", "It gets what happened while it was off, and then goes on.",
        lambda facts: _is("off", facts), do=_on,
    ),
    Act(
        "off", "Switch off", "It gets nothing more; what happens meanwhile is kept for it as long as the outbox is.",
        lambda facts: _is("on", facts), do=_off,
    ),
    Act(
        "replay", "Deliver again", "Delivers what happened in a range of time once more, each event under its old id.",
        lambda facts: _is("on", facts), do=_replay,
        fields=(
            Field("from", "From, with it", hint="2026-01-31 or 2026-01-31T09:00:00Z"),
            Field("to", "To, without it", hint="2026-02-01"),
        ),
    ),
    ROTATE,
)  # fmt: skip

OUTGOING = (
    Act(
        "replay", "Deliver again", "Delivers this event once more, under its old id.",
        lambda facts: bool(facts["deliveries"]), do=_replay_one,
        fields=(Field("endpoint", "Endpoint", _heard_by),),
    ),
)  # fmt: skip
