"""One cycle's stage: a company on a fresh database, a stand-in of its own, and the real processes that bill it.

Every wait ends at the cycle's deadline with `NotConverged`. Ticks are sent from here, as beat would send them, but for
the rows that are about beat itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import redis
from sqlalchemy import select

from billing.flows.parts import Parts
from billing.kernel.errors import BillingError
from billing.models import Profile, ProviderAccount
from billing.providers.stripe.witness import Witness
from billing.queue.buffer import TRANSPORT, Message, Transport
from billing.queue.names import QUEUES, TICKS
from billing.sandbox.crash import dialect
from billing.sandbox.crash.ground import Broker
from billing.sandbox.crash.house import HOUSES
from billing.sandbox.crash.processes import Living, Nursery, is_alive, thaw
from billing.sandbox.crash.waiting import waiting
from billing.sandbox.crash.world import World, give_method, set_clock
from billing.sandbox.embedded import Embedded
from billing.sandbox.embedded.processes import wait_until
from billing.sandbox.probes import HOST, answers
from billing.sandbox.programs import SERVING
from billing.sandbox.stripe.server import Server

DEADLINE_S = 120.0
"""For a whole cycle, in wall time, with slack for a loaded machine. What has not converged by then has failed."""
_TICK_S = 0.4
_LOOK_S = 0.05
_TIMEOUT_S = 30.0
_POOL = ("--pool=prefork", "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=INFO")


Json = dict[str, Any]


class NotConverged(BillingError):
    """The deadline passed. The message says what was still waited for."""


class NotReached(BillingError):
    """The fault never fired: this flow does not come by that point so often."""


class Stage:
    """The levers of one cycle."""

    def __init__(
        self,
        *,
        world: World,
        parts: Parts,
        told: Mapping[str, str],
        server: Server,
        broker: Broker,
        nursery: Nursery,
        folder: Path,
        deadline_s: float,
    ) -> None:
        self.world, self.parts, self.server, self.broker = world, parts, server, broker
        self.house = HOUSES[world.provider]
        self.witness = Witness(server.url, provider=world.provider)
        self.living: dict[str, Living] = {}
        self.server_of_its_own: Embedded | None = None
        self.faults = 0
        """How many were injected."""
        self.hurt_at: float | None = None
        """Monotonic time of the last fault."""
        self.problems: list[str] = []
        """What a story saw that must not be; it fails the cycle."""
        self.ticking = True
        """Whether ticks are sent from here."""
        self.database_url = parts.settings.database_url
        """What processes started from now on connect to."""
        self.everywhere: dict[str, str] = {}
        """What every process gets besides, those that are started again too."""
        self._told = told
        self._nursery, self._folder = nursery, folder
        self._orders: dict[str, Callable[[], None]] = {}
        self._undo: list[Callable[[], None]] = []
        self._deadline = time.monotonic() + deadline_s
        self._ticked = 0.0
        self._moment = 0

    # --- processes ---

    def worker(
        self,
        name: str = "worker",
        *,
        faults: str = "",
        concurrency: int = 1,
        env: dict[str, str] | None = None,
    ) -> Living:
        """`celery -A worker worker`, with these failpoints."""
        size = f"--concurrency={concurrency}"
        argv = ["celery", "-A", "worker", "worker", *_POOL, size, f"--hostname={name}@crash"]
        return self._start(name, argv, faults=faults, env=env, again=lambda: self.worker(name, concurrency=concurrency))

    def receiver(self, *, faults: str = "", env: dict[str, str] | None = None) -> Living:
        """The web application behind waitress; returns once it answers, or has died at its first delivery."""
        argv = ["waitress-serve", f"--listen={HOST}:{self.receiver_port}", *SERVING, "wsgi:app"]
        started = self._start("receiver", argv, faults=faults, env=env, again=self.receiver)
        health = f"{self.receiver_url}/healthz"
        self.wait(lambda: answers(health) or not started.alive, "the receiver's first answer", ticking=False)
        return started

    def operator(self, *args: str, faults: str = "") -> Living:
        """`billing` with these arguments, as an operator types them; it is not started again by itself."""
        started = self._start("operator", ["billing", *args], faults=faults, env=None, again=lambda: None)
        return self.living.pop("operator", started)

    def typed(self, *args: str, faults: str = "") -> None:
        """An operator's command, to its end."""
        pid = self.operator(*args, faults=faults).pid
        self.expect(wait_until(lambda: not is_alive(pid), seconds=_TIMEOUT_S), f"`billing {args[0]}` lives on")

    def beat(self, name: str = "beat", *options: str) -> Living:
        """`celery -A worker beat`. From now on ticks come from it alone."""
        self.ticking = False
        argv = ["celery", "-A", "worker", "beat", "--loglevel=INFO", *options]
        return self._start(name, argv, faults="", env=None, again=lambda: self.beat(name))

    def _start(
        self, name: str, argv: list[str], *, faults: str, env: dict[str, str] | None, again: Callable[[], object]
    ) -> Living:
        once = self._folder / f"{name}.once"
        once.mkdir(exist_ok=True)
        whole = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONUNBUFFERED": "1", **self.environment, **(env or {})}
        if faults:
            whole |= {"BILLING_FAILPOINTS": faults, "BILLING_FAILPOINTS_ONCE": str(once)}
        log = self._folder / f"{name}.log"
        living = Living(self._nursery.fork(argv, env=whole, log=log), log)
        self.living[name] = living
        self._orders[name] = lambda: void(again())
        return living

    @property
    def living_folder(self) -> Path:
        """Where the processes of the cycle leave their logs."""
        return self._folder

    @property
    def environment(self) -> dict[str, str]:
        """What every process of the cycle gets."""
        settings = self.parts.settings
        return {
            "DATABASE_URL": self.database_url or "",
            "BROKER_URL": settings.broker_url or "",
            **self._told,
            "BILLING_SLICE_SIZE": "2",
            "BILLING_CHARGE_SLICE": "2",
            **self.everywhere,
        }

    def revive(self) -> None:
        """Start again, without failpoints, whatever has died."""
        self.broker.start()
        for name, living in list(self.living.items()):
            if not living.alive:
                self._orders[name]()

    def said(self, process: str, words: str) -> int:
        """How often these words stand in the process's log, all its lives together."""
        with suppress(FileNotFoundError):
            return self.living[process].log.read_text(errors="replace").count(words)
        return 0

    def at_end(self, undo: Callable[[], None]) -> None:
        """Do this when the cycle is over."""
        self._undo.append(undo)

    def end(self) -> None:
        """SIGKILL to all of them, and whatever else was to be done at the end."""
        for living in self.living.values():
            living.kill_group()
        for undo in self._undo:
            undo()

    # --- faults ---

    def fired(self, point: str, *, process: str = "worker") -> int | None:
        """The process that hit this failpoint, or None so far."""
        with suppress(FileNotFoundError, ValueError):
            return int((self._folder / f"{process}.once" / point).read_text())
        return None

    def hurt(self, times: int = 1) -> None:
        """Count a fault; recovery is measured from the last one."""
        self.faults += times
        self.hurt_at = time.monotonic()

    def expect(self, holds: bool, otherwise: str) -> None:  # noqa: FBT001 (a condition, as in assert)
        """Note a problem unless it holds."""
        if not holds:
            self.problems.append(otherwise)

    def thaw(self, pid: int) -> None:
        """Let a process that stands at a failpoint go on."""
        thaw(pid)

    @property
    def postgres(self) -> Embedded:
        """The database server of a case that has one of its own."""
        assert self.server_of_its_own is not None
        return self.server_of_its_own

    # --- time ---

    def tick(self) -> None:
        """Send every tick once, as beat does, unless the last ones still wait. A broker that is down is no matter."""
        self._ticked = time.monotonic()
        with suppress(redis.RedisError):
            if self.broker.waiting(*QUEUES) < len(TICKS):
                self.send([(tick, ()) for tick in TICKS])

    def send(self, messages: list[Message]) -> None:
        """Publish these."""
        transport: Transport = self.parts.sessions.kw["info"][TRANSPORT]
        with suppress(Exception):
            transport.send(messages)

    def wait(self, holds: Callable[[], bool], what: str, *, ticking: bool = True) -> None:
        """Return as soon as it holds; ticks go on meanwhile, if they are ours to send."""
        while not holds():
            if time.monotonic() > self._deadline:
                raise NotConverged(f"still waiting for {what}; {self._left()}")
            if ticking and self.ticking and time.monotonic() - self._ticked > _TICK_S:
                self.tick()
            time.sleep(_LOOK_S)

    def play(self, until: Callable[[], bool] = lambda: False) -> bool:
        """Play on through the moments. True as soon as `until` holds, False once all is quiet at the last one."""
        while True:
            self.wait(lambda: until() or self.quiet, "all to be quiet")
            if until():
                return True
            if self._moment + 1 == len(self.world.moments):
                return False
            self.skip()

    def skip(self) -> None:
        """On to the next moment, whatever still waits."""
        self._moment += 1
        self.advance(self.world.moments[self._moment])
        if self.world.paid_out and self.world.provider == "stripe" and self._moment == 1:
            self.witness.call("POST", "payouts", {})

    def reach(self, point: str, *, process: str = "worker") -> int:
        """Play until the failpoint is hit. Returns the process id; raises `NotReached`."""
        if not self.play(lambda: self.fired(point, process=process) is not None):
            raise NotReached(point)
        pid = self.fired(point, process=process)
        assert pid is not None
        return pid

    def now(self) -> datetime:
        """Business time."""
        with self.parts.begin() as session:
            return self.parts.clock.now(session)

    def advance(self, now: datetime) -> None:
        """Move both clocks."""
        set_clock(self.parts, now)
        self.witness.set_clock(now)

    @property
    def quiet(self) -> bool:
        return not waiting(self.parts, self.witness)

    def _left(self) -> str:
        left = waiting(self.parts, self.witness)
        return ", ".join(f"{count} {name}" for name, count in left.items()) or "all is quiet"

    # --- the company ---

    def events(self) -> list[Json]:
        """The provider's events that have a handler here, newest first."""
        return self.house.events(self.server)

    def deliver(self, event: Json) -> int:
        """Bring an event to the receiver as the provider does. Returns the status of the answer."""
        secret = self.parts.settings.webhook_secrets("default", provider=self.house.name)[0]
        return dialect.post(
            f"{self.receiver_url}/webhooks/{self.house.name}", *self.house.signed(self.server, secret, event)
        )

    def change_card(self, account: str, card: str) -> None:
        """The customer gives another card."""
        with self.parts.begin() as session:
            profile_id = session.scalars(select(Profile.id).where(Profile.account_id == account)).one()
            account_id = session.scalars(select(ProviderAccount.id)).one()
        give_method(self.parts, profile_id, self.world.method(card), account_id=account_id)

    def count(self, sql: str) -> int:
        """The one number that a query gives."""
        with self.parts.begin() as session:
            return int(session.connection().exec_driver_sql(sql).scalar_one())

    def text(self, sql: str) -> str:
        """The one text that a query gives."""
        with self.parts.begin() as session:
            return str(session.connection().exec_driver_sql(sql).scalar_one())

    def ids(self, sql: str) -> list[UUID]:
        """The ids that a query gives."""
        with self.parts.begin() as session:
            return list(session.connection().exec_driver_sql(sql).scalars())

    @property
    def receiver_url(self) -> str:
        return f"http://{HOST}:{self.receiver_port}"

    receiver_port = 0


def void(_: object) -> None:
    """Nothing."""
