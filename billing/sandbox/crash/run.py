"""Runs cases, several lanes at once: each lane has a broker of its own and takes the next case when it is free."""

from __future__ import annotations

import queue
import shutil
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from billing.kernel.errors import BillingError
from billing.sandbox.crash.case import Case, Trace
from billing.sandbox.crash.ground import Broker, Databases, database
from billing.sandbox.crash.processes import Nursery
from billing.sandbox.crash.proxy import Proxy
from billing.sandbox.crash.stage import DEADLINE_S, NotConverged, NotReached, Stage, staged
from billing.sandbox.crash.verdict import verdict
from billing.sandbox.crash.world import ORDINARY


class Outcome(StrEnum):
    """How a cycle ended."""

    HELD = "held"
    NOT_REACHED = "not reached"
    VIOLATED = "violated"
    STUCK = "stuck"
    BROKEN = "broken"
    """The harness itself failed."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one cycle showed. `recovery_s` is from the last fault to quiet; both times are wall time."""

    row: str
    name: str
    outcome: Outcome
    seconds: float
    faults: int = 0
    recovery_s: float | None = None
    problems: tuple[str, ...] = ()
    folder: str = ""

    @property
    def failed(self) -> bool:
        return self.outcome in (Outcome.VIOLATED, Outcome.STUCK, Outcome.BROKEN)

    def row_of_state(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Grounds:
    """What all lanes share: where databases come from, the nursery, and a folder for logs."""

    databases: Databases
    nursery: Nursery
    folder: Path
    deadline_s: float = DEADLINE_S
    before_verdict: Callable[[Stage], None] = lambda _: None
    """For a test that the harness can fail."""


def run_case(case: Case, grounds: Grounds, broker: Broker) -> Result:
    """One cycle, from a fresh database to the verdict. Logs are kept where it did not hold."""
    began = time.monotonic()
    folder = grounds.folder / f"{case.row} {case.name}".replace("/", "-").replace(" ", "_")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    stage: Stage | None = None
    outcome, problems, recovery_s = Outcome.HELD, [], None
    broker.start()
    broker.flush()
    try:
        with (
            database(grounds.databases) as url,
            staged(
                case.world, database_url=url, broker=broker, nursery=grounds.nursery, folder=folder, deadline_s=grounds.deadline_s
            ) as stage,
        ):
            case.story(stage)
            stage.revive()
            stage.play()
            recovery_s = time.monotonic() - stage.hurt_at if stage.hurt_at else None
            grounds.before_verdict(stage)
            problems = verdict(stage)
            if problems:
                outcome = Outcome.VIOLATED
    except NotReached as missed:
        outcome, problems = Outcome.NOT_REACHED if case.may_miss else Outcome.STUCK, [f"never reached: {missed}"]
    except NotConverged as stuck:
        outcome, problems = Outcome.STUCK, [str(stuck)]
    except Exception:  # noqa: BLE001 (one broken cycle must not end the others)
        outcome, problems = Outcome.BROKEN, [traceback.format_exc()]
    if outcome in (Outcome.HELD, Outcome.NOT_REACHED):
        shutil.rmtree(folder, ignore_errors=True)
    return Result(
        row=case.row,
        name=case.name,
        outcome=outcome,
        seconds=time.monotonic() - began,
        faults=stage.faults if stage else 0,
        recovery_s=recovery_s,
        problems=tuple(problems),
        folder=str(folder) if folder.exists() else "",
    )


def record(grounds: Grounds, broker: Broker) -> Trace:
    """Play the ordinary world unharmed, once, and note what it passes. Raises `BillingError` where even that fails."""
    folder = grounds.folder / "recorded"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    broker.flush()
    traces = {name: folder / f"{name}.trace" for name in ("worker", "receiver")}
    with (
        database(grounds.databases) as url,
        staged(ORDINARY, database_url=url, broker=broker, nursery=grounds.nursery, folder=folder) as stage,
    ):
        proxy = Proxy(url)
        stage.at_end(proxy.close)
        stage.receiver(env={"BILLING_FAILPOINTS_TRACE": str(traces["receiver"])})
        stage.database_url = proxy.url
        stage.worker(env={"BILLING_FAILPOINTS_TRACE": str(traces["worker"])})
        stage.play()
        problems = verdict(stage)
    if problems:
        raise BillingError(f"the unharmed run fails already: {'; '.join(problems)}")
    passed = {name: Counter(path.read_text().split()) for name, path in traces.items()}
    return Trace(passed["worker"], passed["receiver"], Counter(proxy.commits))


@contextmanager
def lanes(count: int) -> Iterator[list[Broker]]:
    """Brokers, one a lane; removed at the end."""
    brokers: list[Broker] = []
    try:
        brokers.extend(Broker(str(number)) for number in range(count))
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
