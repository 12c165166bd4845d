"""`./run bench simulate`: many scenario files played one after another in this process, each on its own database."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from billing.kernel import garbage
from billing.sandbox.bench.figures import Json, Report, Spread
from billing.sandbox.bench.population import population
from billing.sandbox.embedded import start
from billing.sandbox.environment import ROOT, place_of
from billing.sandbox.scenario.playing.ground import Ground
from billing.sandbox.scenario.playing.player import play
from billing.sandbox.scenario.playing.stage import quietly, staged
from billing.sandbox.scenario.playing.told import tell
from billing.sandbox.scenario.reading import read_scenario

EXAMPLES = ROOT / "examples" / "scenarios"
_TOLD = 3
"""So many of the slowest files are named."""


def run(*, rounds: int, subscriptions: int, years: int, report: Report) -> None:
    """Measure and tell. The scratch servers, which never wait for a disk, are removed at the end."""
    files = sorted(EXAMPLES.glob("*.yaml"))
    quietly()
    garbage.look_seldom()
    whole: Json = {}
    servers = start(place_of("bench-simulate").root, fast=True)
    try:
        ground = Ground(servers.database_url)
        try:
            report.progress(f"playing {len(files)} files, {rounds} times ...")
            took = measure(ground, files, rounds=rounds)
            if subscriptions:
                whole = _whole(ground, subscriptions, years, report)
        finally:
            ground.close()
    finally:
        servers.remove()
    by_round = Spread.of([len(files) / sum(of_round.values()) for of_round in took])
    every = Spread.of([1000 * seconds for of_round in took for seconds in of_round.values()])
    by_file = {path.name: Spread.of([1000 * of_round[path] for of_round in took]) for path in files}
    slowest = sorted(by_file, key=lambda name: -by_file[name].median)[:_TOLD]
    report.table(
        f"Simulate: {len(files)} files, {rounds} times, one process",
        ("what", "median (lowest to highest)"),
        [
            ("files a second, by round", by_round.told(digits=1)),
            ("ms a file", every.told()),
            *((f"ms for {name}", by_file[name].told()) for name in slowest),
        ],
    )
    figures: Json = {
        "files": len(files),
        "rounds": rounds,
        "files_a_second": by_round.as_json(),
        "ms_a_file": every.as_json(),
        "ms_by_file": {name: spread.as_json() for name, spread in by_file.items()},
        "population": whole,
    }
    report.end(figures)


def _whole(ground: Ground, subscriptions: int, years: int, report: Report) -> Json:
    """One scenario with many subscriptions: invoices a second, and memory after the first year and at the end."""
    report.progress(f"playing {subscriptions:,} subscriptions over {years} years ...")
    scenario = population(subscriptions, years)
    peaks: dict[int, int] = {}

    def passing(at: datetime) -> None:
        if at.year not in peaks:
            report.progress(f"  {at.year}, {time.perf_counter() - began:,.0f} s so far")
        peaks[at.year] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    began, busy_since = time.perf_counter(), time.process_time()
    with ground.database() as scratch, staged(scratch.engine, now=scenario.steps[0].at) as stage:
        played = play(scenario, stage, passing=passing)
        seconds, busy = time.perf_counter() - began, time.process_time() - busy_since
        told = tell(played)
    if told["audit"]["violations"]:
        raise RuntimeError(f"an invariant broke: {told['audit']['violations'][:3]}")
    invoices, years_seen = len(told["invoices"]), sorted(peaks)
    grown = peaks[years_seen[-1]] / peaks[years_seen[0]]
    report.table(
        f"Simulate: {subscriptions:,} subscriptions over {years} years, one process",
        ("what", "measured"),
        [
            ("invoices", f"{invoices:,}"),
            ("seconds", f"{seconds:,.1f}"),
            ("invoices a second", f"{invoices / seconds:,.0f}"),
            ("ms of processor an invoice, without PostgreSQL's", f"{1000 * busy / invoices:,.1f}"),
            ("peak memory, last year over first", f"{grown:.2f}"),
        ],
    )
    return {
        "subscriptions": subscriptions,
        "years": years,
        "invoices": invoices,
        "seconds": round(seconds, 1),
        "processor_ms_an_invoice": round(1000 * busy / invoices, 2),
        "memory_growth": round(grown, 2),
    }


def measure(ground: Ground, files: Sequence[Path], *, rounds: int) -> list[dict[Path, float]]:
    """Seconds of each file in each round, from its text to what is told of it. The first file is played once before."""
    ground.expect(1 + rounds * len(files))
    _play(ground, files[0])
    return [{path: _play(ground, path) for path in files} for _ in range(rounds)]


def _play(ground: Ground, path: Path) -> float:
    began = time.perf_counter()
    scenario = read_scenario(path.read_text(encoding="utf-8"), name=path.name)
    first = min((step.at for step in scenario.steps), default=scenario.until)
    with ground.database() as scratch, staged(scratch.engine, now=first) as stage:
        told = tell(play(scenario, stage))
    seconds = time.perf_counter() - began
    if told["audit"]["violations"]:
        raise RuntimeError(f"{path.name}: an invariant broke")
    return seconds
