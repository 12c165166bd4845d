"""Rows 48, 79, 85: the host application hears of everything, in order by object, whoever dies; nobody else does."""

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
        _listen(stage, ear.url)
        stage.receiver()
        stage.worker(faults=f"{point}=kill")
        stage.wait(lambda: stage.fired(point) is not None, "an event to be told")
        stage.hurt()
        stage.play()
        stage.wait(lambda: stage.count(_WAITING) == 0, "every event to be told")
        _judge(stage, ear, point)

    return story


def _listen(stage: Stage, url: str, *, code: str = "host") -> None:
    settings = stage.parts.settings.model_copy(update={"billing_endpoint_networks": _HERE})
    (seller_id,) = stage.ids("SELECT id FROM billing.seller")
    order = Order(actor="crash", reason="the host application listens")
    endpoints.add(replace(stage.parts, settings=settings), seller_id=seller_id, new=NewEndpoint(code, url), order=order)


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


def _led_astray(stage: Stage) -> None:
    """An endpoint's name leads to this machine, another answers by leading on: nothing reaches what they lead to."""
    until_the_end = ExitStack()
    stage.at_end(until_the_end.close)
    inner, outer, beyond = (until_the_end.enter_context(earpiece()) for _ in range(3))
    outer.status, outer.headers = 302, {"Location": beyond.url}
    stage.everywhere = {"BILLING_ENDPOINT_NETWORKS": _HERE}
    _listen(stage, outer.url)
    _listen(stage, inner.url.replace("127.0.0.1", "localhost"), code="inner")
    stage.receiver()
    stage.worker()
    stage.wait(lambda: stage.count(_TRIED.format("host", "<> 'delivered'")) > 0, "the one that leads on to be tried")
    stage.living["worker"].kill_group()
    inner.heard.clear()
    stage.everywhere = {}
    stage.worker()
    stage.wait(lambda: stage.count(_TRIED.format("inner", "= 'address_not_allowed'")) > 0, "this machine to be tried")
    stage.hurt(2)
    stage.play()
    came = len(inner.heard) + len(beyond.heard)
    stage.expect(came == 0, f"{came} requests came where none may")
    taken = stage.count(_TRIED.format("host", "= 'delivered'"))
    stage.expect(taken == 0, f"{taken} deliveries are called taken by one that leads on")


_TRIED = """
    SELECT count(*) FROM billing.delivery_attempt a JOIN billing.endpoint e ON e.id = a.endpoint_id
    WHERE e.code = '{}' AND a.outcome {}
"""


ROWS = (
    Row(
        "48",
        "who brings events dies between the post and the record",
        lambda _: [Case("48", f"child {point}@1", _teller_dies(point), world=_PAIR) for point in _SENT_TWICE],
    ),
    Row(
        "79",
        "endpoints that lead to this machine",
        lambda _: [Case("79", "by name, and by leading on", _led_astray, world=_PAIR)],
    ),
    Row(
        "85",
        "killed around the telling of events",
        lambda _: [
            Case("85", f"child {point}@1", _teller_dies(point), world=_PAIR)
            for point in _POINTS
            if point not in _SENT_TWICE
        ],
    ),
)
