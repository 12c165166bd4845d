"""The accident: a worker is killed with SIGKILL while its charges are on their way, and started again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from billing.queue.celery import make_app
from billing.queue.names import COLLECTIONS_CHARGE
from billing.sandbox.broker import hand_back
from billing.sandbox.clock import stand_ins
from billing.sandbox.demo.faults import CHARGES
from billing.sandbox.stack import Stack

_WATCHED_S = 5.0
_HELD_MS = 700
"""So long the provider holds the next answers: below our time-out, above what it takes to find the worker."""
_UNDER_WAY = text("SELECT count(*) FROM billing.payment WHERE status = 'sent'")


@dataclass(frozen=True, slots=True)
class Accident:
    """Which worker died, when (business time), and how many charges were on their way."""

    worker: str
    at: datetime
    under_way: int


def slow_down(stack: Stack, *, charges: int) -> None:
    """Let the providers take their time with the next charges, so that there is something to interrupt."""
    for stand_in in stand_ins(stack.parts):
        (provider,) = stand_in.providers
        stand_in.add_faults(
            {"kind": "slow", "next": charges, "ms": _HELD_MS, "path": CHARGES[provider], "method": "POST"}
        )


def kill_a_charging_worker(stack: Stack, *, charges: int) -> Accident | None:
    """Wait until a worker has a good part of its charges on the way, kill it and start it again.

    None where none was caught in time.
    """
    app = make_app(stack.parts.settings)
    deadline = time.monotonic() + _WATCHED_S
    while time.monotonic() < deadline:
        with stack.parts.begin() as session:
            under_way, now = session.execute(_UNDER_WAY).scalar_one(), stack.parts.clock.now(session)
        if under_way > charges // 4:
            asking = app.control.inspect(timeout=0.5, limit=2)
            for node, tasks in (asking.active() or {}).items():
                if any(task["name"] == COLLECTIONS_CHARGE.name for task in tasks):
                    worker = node.partition("@")[0]
                    stack.kill(worker)
                    stack.start_one(worker)
                    hand_back(stack.parts.settings)
                    return Accident(worker=worker, at=now, under_way=under_way)
        time.sleep(0.02)
    return None
