"""Sets a cycle's stage: its stand-in, its settings and keys, its company, both clocks at the first moment."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from billing.flows.start import start
from billing.privacy.keyring import generate
from billing.sandbox.crash.ground import Broker
from billing.sandbox.crash.house import HOUSES
from billing.sandbox.crash.processes import Nursery
from billing.sandbox.crash.stage import DEADLINE_S, Stage
from billing.sandbox.crash.world import World, found, set_clock
from billing.sandbox.probes import HOST, port_for
from billing.sandbox.stripe.server import serving
from billing.sandbox.stripe.store import MEMORY, Store
from billing.settings.given import GivenSettings
from billing.wiring import build

_MIGRATIONS = threading.Lock()
"""Alembic reads its scripts for one thread at a time."""


@contextmanager
def staged(
    world: World,
    *,
    database_url: str,
    broker: Broker,
    nursery: Nursery,
    folder: Path,
    deadline_s: float = DEADLINE_S,
    seed: int = 1,
) -> Iterator[Stage]:
    """A stage with its company made, clocks at the first moment, and nothing running yet. Ends whatever was started."""
    port = port_for(None, None)
    with ExitStack() as undo:
        house = HOUSES[world.provider]
        server = undo.enter_context(serving(Store(MEMORY), seed=seed, make=house.make))
        told = {"BILLING_SECRET_KEY": generate(), "BILLING_SANDBOX": "1"}
        told |= house.tell(server.url, f"http://{HOST}:{port}", folder)
        values = {**told, "DATABASE_URL": database_url, "BROKER_URL": broker.url}
        parts = build(GivenSettings.model_validate({name.lower(): value for name, value in values.items()}))
        undo.callback(parts.sessions.kw["bind"].dispose)
        stage = Stage(
            world=world,
            parts=parts,
            told=told,
            server=server,
            broker=broker,
            nursery=nursery,
            folder=folder,
            deadline_s=deadline_s,
        )
        stage.receiver_port = port
        undo.callback(stage.end)
        set_clock(parts, world.moments[0])
        stage.witness.set_clock(world.moments[0])
        with _MIGRATIONS:
            start(parts)
        found(parts, world)
        yield stage
