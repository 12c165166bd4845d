"""Runs cases, several lanes at once: each lane has a broker of its own and takes the next case when it is free."""

from __future__ import annotations

import queue
import re
import shutil
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from sqlalchemy import make_url

from billing.kernel.errors import BillingError
from billing.sandbox.crash.case import Case, Trace
from billing.sandbox.crash.ground import Broker, Databases, Templates, database
from billing.sandbox.crash.kills import DROP_ALL
from billing.sandbox.crash.processes import Nursery
from billing.sandbox.crash.proxy import Proxy
from billing.sandbox.crash.stage import DEADLINE_S, NotConverged, NotReached, Stage
from billing.sandbox.crash.staging import staged
from billing.sandbox.crash.verdict import verdict
from billing.sandbox.crash.world import ORDINARY, World
from billing.sandbox.embedded import Embedded
from billing.sandbox.embedded import start as start_servers
from billing.sandbox.environment import ROOT


class Outcome(StrEnum):
    """How a cycle ended."""

    HELD = "held"
    NOT_REACHED = "not reached"
    VIOLATED = "violated"
    STUCK = "stuck"
    BROKEN = "broken"
    """The harness itself failed."""


FAILED = (Outcome.VIOLATED, Outcome.STUCK, Outcome.BROKEN)
_CHANCES = 3


class UnharmedRunFailed(BillingError):
    """Nothing was hurt, and yet something does not hold: no crash can prove anything then."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one cycle showed. `recovery_s` is from the last fault to quiet; both times are wall time."""

    row: str
    name: str
    outcome: Outcome
    failed: bool
    seconds: float
    faults: int = 0
    recovery_s: float | None = None
    problems: tuple[str, ...] = ()
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Grounds:
    """What all lanes share: where databases come from, the nursery, and a folder for logs."""

    databases: Databases
    nursery: Nursery
    folder: Path
    seed: int = 1
    """Of the provider's faults by chance."""
    deadline_s: float = DEADLINE_S
    before_verdict: Callable[[Stage], None] = lambda _: None
    """For a test that the harness can fail."""


def run_case(case: Case, grounds: Grounds, broker: Broker) -> Result:
    """One cycle, from a fresh database to the verdict. Logs are kept where it did not hold.

    A fault that may miss is given three chances: two runs are never quite alike.
    """
    result = _cycle(case, grounds, broker)
    for _ in range(_CHANCES - 1):
        if not case.may_miss or result.outcome is not Outcome.NOT_REACHED:
            break
        result = _cycle(case, grounds, broker)
    return result


def _cycle(case: Case, grounds: Grounds, broker: Broker) -> Result:
    began = time.monotonic()
    folder = _fresh_folder(grounds, f"{case.row} {case.name}")
    stage: Stage | None = None
    outcome, problems, recovery_s = Outcome.HELD, list[str](), None
    broker.start()
    broker.flush()
    try:
        with (
            _server(grounds, alone=case.own_server) as (databases, server),
            database(databases) as url,
            staged(
                case.world,
                database_url=url,
                broker=broker,
                nursery=grounds.nursery,
                folder=folder,
                deadline_s=grounds.deadline_s,
                seed=grounds.seed,
            ) as stage,
        ):
            stage.server_of_its_own = server
            case.story(stage)
            stage.revive()
            stage.play()
            recovery_s = time.monotonic() - stage.hurt_at if stage.hurt_at else None
            grounds.before_verdict(stage)
            problems = verdict(stage)
            outcome = Outcome.VIOLATED if problems else Outcome.HELD
    except NotReached as missed:
        outcome, problems = Outcome.NOT_REACHED, [f"never reached: {missed}"]
    except NotConverged as stuck:
        outcome, problems = Outcome.STUCK, [str(stuck)]
    except Exception:  # noqa: BLE001 (one broken cycle must not end the others)
        outcome, problems = Outcome.BROKEN, [traceback.format_exc()]
    failed = outcome in FAILED or (outcome is Outcome.NOT_REACHED and not case.may_miss)
    if not failed:
        shutil.rmtree(folder, ignore_errors=True)
    return Result(
        row=case.row,
        name=case.name,
        outcome=outcome,
        failed=failed,
        seconds=round(time.monotonic() - began, 2),
        faults=stage.faults if stage else 0,
        recovery_s=None if recovery_s is None else round(recovery_s, 2),
        problems=tuple(problems),
        folder=str(folder) if failed else "",
    )


_ONE_AT_A_TIME = threading.Lock()
"""Cases with a server of their own share it, one after the other."""


@contextmanager
def _server(grounds: Grounds, *, alone: bool) -> Iterator[tuple[Databases, Embedded | None]]:
    """The server that all lanes use; or one that this case alone may hurt, whose commits survive its processes."""
    if not alone:
        yield grounds.databases, None
        return
    with _ONE_AT_A_TIME:
        server = start_servers(ROOT / ".stacks" / "crash-own", fast=True)
        try:
            databases = Templates(server.database_url)
            try:
                databases.keep_commits()
            finally:
                databases.close()
            yield _Reconnecting(server.database_url), server
        finally:
            server.restart()
            server.stop()


class _Reconnecting:
    """Databases of a server that crashes: each order comes over a connection of its own."""

    def __init__(self, address: str) -> None:
        self._address = address

    def clone(self) -> str:
        # What an earlier case left is dropped as it opens.
        with closing(Templates(self._address)) as databases:
            return databases.clone()

    def url_of(self, name: str) -> str:
        return make_url(self._address).set(database=name).render_as_string(hide_password=False)

    def drop(self, name: str) -> None:
        with closing(Templates(self._address)) as databases:
            databases.drop(name)


def _fresh_folder(grounds: Grounds, name: str) -> Path:
    folder = grounds.folder / re.sub(r"[^\w.@+-]+", "-", name)[:100]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def record(grounds: Grounds, broker: Broker, *, provider: str = "stripe") -> Trace:
    """Play the ordinary world unharmed, twice, and note what it passes. Raises `UnharmedRunFailed`."""
    world = replace(ORDINARY, provider=provider)
    hearing = _recorded(world, grounds, broker, deaf=False)
    deaf = _recorded(world, grounds, broker, deaf=True)
    return replace(hearing, deaf=deaf.worker)


def _recorded(world: World, grounds: Grounds, broker: Broker, *, deaf: bool) -> Trace:
    folder = _fresh_folder(grounds, "recorded")
    traces = {name: folder / f"{name}.trace" for name in ("worker", "receiver")}
    broker.flush()
    with (
        database(grounds.databases) as url,
        staged(world, database_url=url, broker=broker, nursery=grounds.nursery, folder=folder) as stage,
    ):
        if deaf:
            stage.witness.add_faults(DROP_ALL)
        proxy = Proxy(url)
        stage.at_end(proxy.close)
        stage.receiver(env={"BILLING_FAILPOINTS_TRACE": str(traces["receiver"])})
        stage.database_url = proxy.url
        stage.worker(env={"BILLING_FAILPOINTS_TRACE": str(traces["worker"])})
        stage.play()
        problems = verdict(stage)
    if problems:
        raise UnharmedRunFailed("; ".join(problems))
    passed = {name: Counter(path.read_text().split() if path.exists() else ()) for name, path in traces.items()}
    return Trace(worker=passed["worker"], receiver=passed["receiver"], commits=Counter(proxy.commits))


@contextmanager
def lanes(count: int) -> Iterator[list[Broker]]:
    """Brokers, one a lane; removed at the end."""
    brokers: list[Broker] = []
    try:
        for _ in range(count):
            brokers.append(Broker())  # noqa: PERF401 (the first must be removed where the second fails)
        yield brokers
    finally:
        for broker in brokers:
            broker.remove()


def run_all(
    cases: Sequence[Case], grounds: Grounds, brokers: Sequence[Broker], *, until: float = float("inf")
) -> Iterator[Result]:
    """Results as they come. None is begun after `until` (monotonic seconds)."""
    free: queue.SimpleQueue[Broker] = queue.SimpleQueue()
    for broker in brokers:
        free.put(broker)
    stopped = threading.Event()

    def one(case: Case) -> Result | None:
        if stopped.is_set() or time.monotonic() > until:
            return None
        broker = free.get()
        try:
            return run_case(case, grounds, broker)
        finally:
            free.put(broker)

    with ThreadPoolExecutor(len(brokers)) as pool:
        running: set[Future[Result | None]] = {pool.submit(one, case) for case in cases}
        try:
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (result for future in done if (result := future.result()) is not None)
        finally:
            stopped.set()
