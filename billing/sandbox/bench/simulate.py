"""`./run bench simulate`: many scenario files played one after another in this process, each on its own database."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from billing.sandbox.bench.figures import Json, Report, Spread
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


def run(*, rounds: int, report: Report) -> None:
    """Measure and tell. The scratch servers, which never wait for a disk, are removed at the end."""
    files = sorted(EXAMPLES.glob("*.yaml"))
    quietly()
    servers = start(place_of("bench-simulate").root, fast=True)
    try:
        ground = Ground(servers.database_url)
        try:
            report.progress(f"playing {len(files)} files, {rounds} times ...")
            took = measure(ground, files, rounds=rounds)
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
    }
    report.end(figures)


def measure(ground: Ground, files: Sequence[Path], *, rounds: int) -> list[dict[Path, float]]:
    """Seconds of each file in each round, from its text to what is told of it. The first file is played once before."""
    _play(ground, files[0])
    return [{path: _play(ground, path) for path in files} for _ in range(rounds)]


def _play(ground: Ground, path: Path) -> float:
    began = time.perf_counter()
    scenario = read_scenario(path.read_text(encoding="utf-8"), name=path.name)
    first = min((step.at for step in scenario.steps), default=scenario.until)
    with ground.database() as address, staged(address, now=first) as stage:
        told = tell(play(scenario, stage))
    seconds = time.perf_counter() - began
    if told["audit"]["violations"]:
        raise RuntimeError(f"{path.name}: an invariant broke")
    return seconds
