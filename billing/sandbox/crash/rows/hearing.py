"""Row 85: the host application hears of everything, in order by object, whoever dies while it is told."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from billing.flows import endpoints
from billing.flows.order import Order
from billing.sandbox.crash.case import Case, Row, Story
from billing.sandbox.crash.stage import Stage
from billing.sandbox.crash.world import Customer, World
from billing.sandbox.earpiece import Earpiece, earpiece
from billing.validators.endpoint import NewEndpoint

_PAIR = World(customers=(Customer("a1"), Customer("a2")))
_HERE = "127.0.0.0/8"
_POINTS = (
    "delivery.handed_over",
    "delivery.taken",
    "delivery.sending",
    "delivery.answered",
    "delivery.record",
    "delivery.recorded",
)
_SENT_TWICE = ("delivery.answered", "delivery.record")
"""It was posted, and that was not written down."""
_WAITING = """
    SELECT (SELECT count(*) FROM billing.delivery WHERE status <> 'delivered')
         + (SELECT count(*) FROM billing.outbox WHERE delivered_at IS NULL)
"""


def _teller_dies(point: str) -> Story:
    """SIGKILL to the worker around the telling of events: each arrives, and a second copy has the first one's id."""

    def story(stage: Stage) -> None:
        until_the_end = ExitStack()
        stage.at_end(until_the_end.close)
        ear = until_the_end.enter_context(earpiece())
        stage.everywhere = {"BILLING_ENDPOINT_NETWORKS": _HERE}
        _listen(stage, ear)
        stage.receiver()
        stage.worker(faults=f"{point}=kill")
        stage.wait(lambda: stage.fired(point) is not None, "an event to be told")
        stage.hurt()
        stage.play()
        stage.wait(lambda: stage.count(_WAITING) == 0, "every event to be told")
        _judge(stage, ear, point)

    return story


def _listen(stage: Stage, ear: Earpiece) -> None:
    settings = stage.parts.settings.model_copy(update={"billing_endpoint_networks": _HERE})
    (seller_id,) = stage.ids("SELECT id FROM billing.seller")
    order = Order(actor="crash", reason="the host application listens")
    endpoints.add(
        replace(stage.parts, settings=settings), seller_id=seller_id, new=NewEndpoint("host", ear.url), order=order
    )


def _judge(stage: Stage, ear: Earpiece, point: str) -> None:
    told = stage.count("SELECT count(*) FROM billing.delivery")
    heard = [each.headers["webhook-id"] for each in ear.heard]
    stage.expect(len(set(heard)) == told, f"{len(set(heard))} events arrived, not {told}")
    copies = len(heard) - len(set(heard))
    stage.expect((copies > 0) is (point in _SENT_TWICE), f"{copies} copies arrived after {point}")
    last: dict[str, str] = {}
    for each in ear.heard:
        object_id, id_ = each.event["object"]["id"], each.event["id"]
        stage.expect(last.get(object_id, "") <= id_, f"{each.event['type']} of {object_id} came too late")
        last[object_id] = id_


ROWS = (
    Row(
        "85",
        "killed around the telling of events",
        lambda _: [Case("85", f"child {point}@1", _teller_dies(point), world=_PAIR) for point in _POINTS],
    ),
)
