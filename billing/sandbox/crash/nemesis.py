"""The nemesis: faults by a seeded chance on a company that goes on billing, for a bounded time; then all must be well.

Whatever dies is started again at once, as a supervisor would. Business time moves on whenever all is quiet: to the
third of the next month, or to the retries three days later. In the end the faults stop, everything comes to rest, and
the cycle's verdict is asked: the audit over our books, the provider's and the logs, and each customer's own story.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import psycopg
from sqlalchemy.exc import DBAPIError

from billing.sandbox.crash.case import Case, Story
from billing.sandbox.crash.ground import Broker
from billing.sandbox.crash.outside import cut_sessions
from billing.sandbox.crash.processes import end, freeze, thaw
from billing.sandbox.crash.run import Grounds, Result, run_case
from billing.sandbox.crash.stage import Stage
from billing.sandbox.crash.world import DECLINES_ONCE, SILENT_AFTER, SILENT_BEFORE, START, Customer, World

COMPANY = World(
    customers=(
        Customer("a1"),
        Customer("a2", subscriptions=3),
        Customer("a4", card=SILENT_AFTER),
        Customer("a5", card=DECLINES_ONCE),
        Customer("a6", card=SILENT_BEFORE),
    )
)
_PAUSE_S = (0.3, 3.0)
_FROZEN_S = (3.5, 6.0)
"""Longer than a lease in the sandbox."""
_AT_REST_S = 240.0
"""To come to rest after the last fault, with slack for a loaded machine."""
_REQUESTS = ("timeout_before", "timeout_after", "disconnect_after", "error_500_before", "error_500_after", "rate_limit")
_WEBHOOKS = ("webhook_duplicate", "webhook_reorder", "webhook_drop", "webhook_delay")


@dataclass(slots=True)
class Told:
    """What a run did, and how soon all was quiet again, in seconds of wall time."""

    faults: Counter[str] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)
    points: set[str] = field(default_factory=set)
    months: int = 1

    def lines(self, result: Result) -> Iterator[str]:
        """For people."""
        yield f"faults injected: {sum(self.faults.values())}"
        yield from (f"  {count:>4}  {name}" for name, count in self.faults.most_common())
        if self.recoveries:
            middle, worst = median(self.recoveries), max(self.recoveries)
            yield f"quiet again: {len(self.recoveries)} times, median {middle:.1f} s, worst {worst:.1f} s"
        yield f"failpoints passed: {len(self.points)}; months billed: {self.months}"
        yield f"violations: {len(result.problems)}"
        yield from (f"  {problem}" for problem in result.problems)


def run(grounds: Grounds, broker: Broker, *, minutes: float, seed: int) -> tuple[Result, Told]:
    """Hurt for so many minutes (wall time), let all come to rest, and judge."""
    told = Told()
    case = Case("80", f"nemesis of seed {seed}", story(told, minutes, seed), world=COMPANY, own_server=True)
    patient = replace(grounds, deadline_s=minutes * 60 + _AT_REST_S)
    return run_case(case, patient, broker), told


def story(told: Told, minutes: float, seed: int) -> Story:
    """Faults for so many minutes, whose order `seed` gives; then rest. What happened is noted in `told`."""

    def hurting(stage: Stage) -> None:
        # Which fault comes next must not hang on what the last one met: how it is done has chances of its own.
        which, chance = random.Random(seed), random.Random(f"{seed}: how")  # noqa: S311 (a fault, not a secret)
        trace = _trace(stage)
        stage.everywhere = {"BILLING_FAILPOINTS_TRACE": str(trace)}
        stage.receiver()
        for number in (1, 2):
            stage.worker(f"worker-{number}", concurrency=2)
        stage.beat()
        until = time.monotonic() + minutes * 60
        while time.monotonic() < until:
            name, hurt = which.choice(_FAULTS)
            with suppress(DBAPIError, psycopg.OperationalError):
                if hurt(stage, chance) is not False:
                    told.faults[name] += 1
                    stage.hurt()
            stage.revive()
            _recover(stage, told, chance)
        stage.witness.clear_faults()
        stage.broker.thaw()
        stage.revive()
        stage.wait(lambda: _is_quiet(stage), "all to come to rest")
        told.recoveries.append(time.monotonic() - (stage.hurt_at or 0))
        while True:
            _move_on(stage, told)
            stage.wait(lambda: _is_quiet(stage), "all to come to rest")
            if stage.now() >= _retried(told.months):
                break
        stage.world = replace(COMPANY, months=told.months)
        told.points = set(trace.read_text().split()) if trace.exists() else set()

    return hurting


def _trace(stage: Stage) -> Path:
    return stage.living_folder / "nemesis.trace"


def _recover(stage: Stage, told: Told, chance: random.Random) -> None:
    """A pause, or until all is quiet, whichever comes first; then time moves on, and there is more to do."""
    until = time.monotonic() + chance.uniform(*_PAUSE_S)
    hurt_at = time.monotonic()
    stage.wait(lambda: time.monotonic() > until or _is_quiet(stage), "a pause")
    if _is_quiet(stage):
        told.recoveries.append(time.monotonic() - hurt_at)
        _move_on(stage, told)


def _move_on(stage: Stage, told: Told) -> None:
    """To the third of the next month, when all of it is due, or to the retries of three days later."""
    if stage.now() < _retried(told.months):
        stage.advance(_retried(told.months))
    else:
        told.months += 1
        stage.advance(_third(told.months))


def _retried(month: int) -> datetime:
    """When what was declined in the `month`-th period is tried again."""
    return (_third(month) if month > 1 else START) + timedelta(days=3)


def _third(month: int) -> datetime:
    """The third day of the month after that in which the `month`-th period of everybody begins."""
    place = month + 1
    return datetime(2026 + (place - 1) // 12, (place - 1) % 12 + 1, 3, tzinfo=UTC)


def _is_quiet(stage: Stage) -> bool:
    try:
        return stage.quiet
    except DBAPIError:
        return False


# --- faults ---


def _a_worker(stage: Stage, chance: random.Random) -> str:
    return chance.choice([name for name in stage.living if name.startswith("worker")])


def _kill_child(stage: Stage, chance: random.Random) -> bool:
    children = stage.living[_a_worker(stage, chance)].children()
    if children:
        end(chance.choice(children))
    return bool(children)


def _kill_parent(stage: Stage, chance: random.Random) -> None:
    worker = stage.living[_a_worker(stage, chance)]
    orphans = worker.children()
    worker.kill()
    for orphan in orphans:
        # What a supervisor ends with the unit; until then they go on.
        end(orphan)


def _kill_tree(stage: Stage, chance: random.Random) -> None:
    stage.living[_a_worker(stage, chance)].kill_group()


def _kill(name: str) -> Callable[[Stage, random.Random], None]:
    return lambda stage, _: stage.living[name].kill_group()


def _stop_child(stage: Stage, chance: random.Random) -> bool:
    children = stage.living[_a_worker(stage, chance)].children()
    if children:
        stopped, until = chance.choice(children), time.monotonic() + chance.uniform(*_FROZEN_S)
        freeze(stopped)
        stage.wait(lambda: time.monotonic() > until, "a child that stands still")
        thaw(stopped)
    return bool(children)


def _flush(stage: Stage, _: random.Random) -> None:
    stage.broker.flush()


def _kill_broker(stage: Stage, _: random.Random) -> None:
    stage.broker.kill()
    stage.broker.start()


def _freeze_broker(stage: Stage, chance: random.Random) -> None:
    until = time.monotonic() + chance.uniform(*_PAUSE_S)
    stage.broker.freeze()
    try:
        stage.wait(lambda: time.monotonic() > until, "a broker that stands still")
    finally:
        stage.broker.thaw()


def _crash_database(stage: Stage, _: random.Random) -> None:
    stage.postgres.kill_postgres(immediate=True)
    stage.postgres.restart()


def _cut_sessions(stage: Stage, _: random.Random) -> None:
    cut_sessions(stage)


def _provider_fails(stage: Stage, chance: random.Random) -> None:
    kind = chance.choice(_REQUESTS)
    stage.witness.add_faults({"kind": kind, "next": chance.randint(1, 4), "path": "/v1/", "method": "POST"})


def _webhooks_fail(stage: Stage, chance: random.Random) -> None:
    stage.witness.add_faults({"kind": chance.choice(_WEBHOOKS), "next": chance.randint(1, 4)})


_FAULTS: tuple[tuple[str, Callable[[Stage, random.Random], bool | None]], ...] = (
    ("SIGKILL of a child", _kill_child),
    ("SIGKILL of a worker's parent", _kill_parent),
    ("SIGKILL of a worker's tree", _kill_tree),
    ("SIGKILL of the receiver", _kill("receiver")),
    ("SIGKILL of beat", _kill("beat")),
    ("SIGSTOP of a child", _stop_child),
    ("broker forgets", _flush),
    ("broker killed", _kill_broker),
    ("broker stopped", _freeze_broker),
    ("PostgreSQL stopped immediately", _crash_database),
    ("sessions cut", _cut_sessions),
    ("provider fails", _provider_fails),
    ("webhooks fail", _webhooks_fail),
)
"""False where there was nothing to hurt: that counts for none."""
