"""`./run bench events`: how soon the host application hears of what was committed, and how much it can be told.

Events are committed one by one at a steady rate, then many at once. A stock worker of the queue
`deliveries` brings them to an endpoint in this process, woken as beat wakes it in production. A latency is from the
commit's return to the request's arrival.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy.orm import Session

from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.flows import endpoints
from billing.flows.order import Order
from billing.flows.parts import Parts
from billing.kernel.ids import new_ids
from billing.queue.celery import CeleryTransport, make_app
from billing.queue.names import DELIVERIES_TICK
from billing.sandbox import processes
from billing.sandbox.bench.company import DUE, write_seller
from billing.sandbox.bench.deliveries import Measured
from billing.sandbox.bench.figures import Report
from billing.sandbox.bench.scratch import Scratch, parts_of, scratch
from billing.sandbox.earpiece import Earpiece, Heard, earpiece
from billing.sandbox.embedded import start
from billing.sandbox.embedded.processes import wait_until
from billing.sandbox.environment import place_of
from billing.sandbox.plan import Plan
from billing.sandbox.probes import workers_answer
from billing.sandbox.processes import Program
from billing.sandbox.programs import WORKER, child_environment, command, node_of
from billing.settings import Settings
from billing.validators.endpoint import NewEndpoint

_HERE = "127.0.0.0/8"
_WORKER_S, _ALL_S = 60.0, 300.0
_TOGETHER = 100
"""Of those that are committed at once, so many in a transaction, as a slice of renewals does."""


@dataclass
class _Clocked(Earpiece):
    """Notes when each object's event came first."""

    came: dict[str, float] = field(default_factory=dict)

    def hear(self, heard: Heard) -> int:
        at = time.perf_counter()
        with self.lock:
            self.came.setdefault(heard.event["object"]["id"], at)
        return 204


def run(*, events: int, per_s: int, report: Report) -> None:
    """Measure and tell. Everything is made in a stack of its own and removed at the end."""
    servers = start(place_of("bench").root)
    place_of("bench").folder.mkdir(mode=0o700, exist_ok=True)
    try:
        with scratch(servers) as bare, earpiece(_Clocked()) as ear:
            assert isinstance(ear, _Clocked)
            # With the time-outs and pauses of production.
            given = {"billing_endpoint_networks": _HERE, "billing_sandbox": False}
            settings = bare.settings.model_copy(update=given)
            made = replace(bare, settings=settings)
            every_s = Settings.model_fields["billing_delivery_every_s"].default
            with parts_of(made) as parts, _worker(made), _beat(made, every_s):
                seller_id = _endpoint(made, parts, ear)
                report.progress(f"{events:,} events, {per_s} a second ...")
                steady = _told(parts, ear, seller_id, events, per_s=per_s)
                report.progress(f"{events:,} events at once ...")
                burst = _told(parts, ear, seller_id, events, per_s=None)
    finally:
        servers.remove()
    told = ((f"{per_s} a second", steady), ("all at once", burst))
    report.table(
        f"{events:,} events to one endpoint by one worker process; a look for new ones every {every_s:g} s",
        ("committed", "brought a second", "p50 ms", "p99 ms"),
        [
            (label, f"{each.per_s:,.0f}", f"{each.percentile_ms(0.5):,.0f}", f"{each.percentile_ms(0.99):,.0f}")
            for label, each in told
        ],
    )
    report.end({"steady": steady.as_json(), "burst": burst.as_json()})


def _told(parts: Parts, ear: _Clocked, seller_id: UUID, events: int, *, per_s: int | None) -> Measured:
    """Commit so many, evenly spread or at once, and wait until each has come."""
    committed: dict[str, float] = {}
    began = time.perf_counter()
    together = 1 if per_s is not None else _TOGETHER
    for first in range(0, events, together):
        if per_s is not None:
            time.sleep(max(0.0, began + first / per_s - time.perf_counter()))
        made = new_ids(min(together, events - first))
        with parts.begin() as session:
            for object_id in made:
                emit(
                    session,
                    topic=Topic.PROFILE_UPDATED,
                    object_type="profile",
                    object_id=object_id,
                    seller_id=seller_id,
                    now=DUE,
                )
        committed |= dict.fromkeys(map(str, made), time.perf_counter())
    if not wait_until(lambda: committed.keys() <= ear.came.keys(), seconds=_ALL_S):
        raise RuntimeError(f"{len(committed.keys() - ear.came.keys())} of {events} events were not brought")
    waited = [ear.came[id_] - at for id_, at in committed.items()]
    took_s = max(ear.came[id_] for id_ in committed) - min(ear.came[id_] for id_ in committed)
    return Measured(waited, {204: len(waited)}, took_s)


def _endpoint(made: Scratch, parts: Parts, ear: Earpiece) -> UUID:
    with Session(made.engine) as session, session.begin():
        seller_id, _ = write_seller(session)
    order = Order(actor="bench", reason="it listens")
    endpoints.add(parts, seller_id=seller_id, new=NewEndpoint("bench", ear.url), order=order)
    return seller_id


@contextmanager
def _worker(made: Scratch) -> Iterator[None]:
    """One stock worker of the queue, of one process, once it answers."""
    place, settings = place_of("bench"), made.settings
    assert settings.billing_secret_key is not None
    values = {
        "DATABASE_URL": settings.database_url or "",
        "BROKER_URL": settings.broker_url or "",
        "BILLING_LOG_LEVEL": "ERROR",
        "BILLING_SECRET_KEY": settings.billing_secret_key.get_secret_value(),
        "BILLING_ENDPOINT_NETWORKS": _HERE,
    }
    app = make_app(settings)
    app.control.purge()
    line = [*command(WORKER, place, Plan()), "-Q", "deliveries"]
    processes.launch(place.folder, Program(WORKER, line, child_environment(place, values)))
    try:
        if not wait_until(lambda: workers_answer(app, [node_of(WORKER)]), seconds=_WORKER_S):
            raise RuntimeError("the worker does not answer")
        yield
    finally:
        processes.stop(place.folder, [WORKER])


@contextmanager
def _beat(made: Scratch, every_s: float) -> Iterator[None]:
    """Wakes it so often, as beat does."""
    transport, over = CeleryTransport(make_app(made.settings)), threading.Event()

    def beat() -> None:
        while not over.wait(every_s):
            transport.send([(DELIVERIES_TICK, ())])

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
