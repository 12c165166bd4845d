"""Plays scenarios at random with the engine and the oracle: `python -m tests.oracle.fuzz FIRST LAST [--keep DIR]`."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any

import click
import yaml

from billing.sandbox.scenario.playing.ground import Ground, server_address
from billing.sandbox.scenario.playing.whole import play_whole
from tests.oracle.compare import differences
from tests.oracle.generate import scenario
from tests.oracle.play import play as oracle
from tests.oracle.test_engine import readable


def _faults(ground: Ground, spec: dict[str, Any]) -> list[str]:
    try:
        outcome = play_whole(ground, readable(spec))
        return outcome.complaints if outcome.told is None else differences(oracle(spec), outcome.told)
    except Exception:  # noqa: BLE001 (whatever it is, the next seed is played all the same)
        return [traceback.format_exc()]


@click.command()
@click.argument("first", type=int)
@click.argument("last", type=int)
@click.option("--keep", type=click.Path(path_type=Path), help="Write the scenarios that differ into this folder.")
def fuzz(*, first: int, last: int, keep: Path | None) -> None:
    """Play the seeds from FIRST up to LAST and show where the two differ. Ends with status 1 if they do."""
    ground = Ground(server_address()[0])
    ground.expect(last - first)
    differing = 0
    for seed in range(first, last):
        spec = scenario(seed)
        found = _faults(ground, spec)
        if not found:
            continue
        differing += 1
        click.echo(f"seed {seed}: {len(found)} differences")
        for each in found[:8]:
            click.echo(f"    {each[:600]}")
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"seed-{seed}.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
    click.echo(f"{differing} of {last - first} differ.")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    fuzz()
