"""`billing simulate`: play scenario files and say what every customer would have been billed."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from billing.kernel import garbage
from billing.ops import failures
from billing.ops.times import INSTANT
from billing.sandbox.scenario.faults import ScenarioInvalid
from billing.sandbox.scenario.model import Scenario
from billing.sandbox.scenario.outcome import BROKEN, INVALID, PLAYED, REFUSED, Outcome
from billing.sandbox.scenario.playing.ground import Ground, server_address
from billing.sandbox.scenario.reading import read_scenario
from billing.sandbox.scenario.stopping import STOPPING
from billing.validators.checks import Checks

_SUFFIXES = (".yaml", ".yml")
_STDOUT = "-"


@click.command("simulate")
@click.argument("path", metavar="FILE|DIR", type=click.Path(exists=True, path_type=Path))
@click.option("--json", "out", metavar="OUT|-", help="Write JSON: to a file, to - or, of DIR, into a folder.")
@click.option("--until", type=INSTANT, help="Play up to this instant, in place of the file's own end.")
@click.pass_context
def simulate(context: click.Context, *, path: Path, out: str | None, until: datetime | None) -> None:
    """Play a scenario file, or each of a folder, with the real flows on a scratch database.

    \b
    Ends with status 0 where all was played and the audit holds, 1 where an invariant broke, 2 where a file is invalid
    (every fault is listed, nothing is played), 3 where a step was refused that did not say so, or was not although it
    said so. Of a folder, with the highest. 70 is a fault of this program; the other files are played all the same.
    """
    if until is not None:
        _require_year(until)
    if path.is_dir() and (out is None or out == _STDOUT):
        raise click.UsageError("a folder needs --json OUTDIR, into which one JSON a file is written")
    if out is not None and out != _STDOUT and not path.is_dir():
        _require_place(Path(out), folder=False)
    address, started = server_address()
    if started:
        click.echo("Started a scratch database; it stays up for the next time, `billing down` stops it.", err=True)
    with STOPPING.heard(), closing(Ground(address)) as ground:
        if path.is_dir():
            assert out is not None
            context.exit(_play_folder(ground, path, Path(out), until))
        outcome = _play_file(ground, path, until)
        _complain(path.name, outcome)
        if outcome.told is not None:
            if out is None:
                from billing.sandbox.scenario.tables import show  # noqa: PLC0415 (only people need tables)

                show(outcome.told)
            else:
                _write(outcome.told, out)
        context.exit(outcome.status)


def _require_year(until: datetime) -> None:
    """As the reader asks of the file's own `until`."""
    checks = Checks()
    checks.instant("--until", until)
    if checks.faults:
        raise click.UsageError(f"--until: {checks.faults[0].mend}")


def _require_place(out: Path, *, folder: bool) -> None:
    """Make the folder that the JSON goes into, before anything is played."""
    if out.exists() and out.is_dir() is not folder:
        raise click.UsageError(f"{out} is {'a file; name a folder' if folder else 'a folder; name a file'}")
    into = out if folder else out.parent
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.UsageError(f"{into} can't be made: {error.strerror}") from error


def _play_folder(ground: Ground, folder: Path, out: Path, until: datetime | None) -> int:
    """One JSON a file; a line for each on standard error."""
    found = (path for path in folder.iterdir() if path.suffix in _SUFFIXES and not path.is_dir())
    files = sorted(found, key=lambda path: (path.stem, path.suffix))
    if not files:
        raise click.UsageError(f"{folder} holds no {' or '.join(_SUFFIXES)} file")
    for one, other in pairwise(files):
        if one.stem == other.stem:
            raise click.UsageError(f"{one.name} and {other.name} would both be written to {one.stem}.json")
    _require_place(out, folder=True)
    worst = PLAYED
    for number, path in enumerate(files, start=1):
        outcome = _in_any_case(ground, path, until, following=len(files) - number)
        click.echo(f"[{number}/{len(files)}] {path.name}: {_WORDS[outcome.status]}", err=True)
        _complain(path.name, outcome)
        if outcome.told is not None:
            _write(outcome.told, str(out / f"{path.stem}.json"))
        worst = max(worst, outcome.status)
    return worst


_WORDS = {
    PLAYED: "played",
    BROKEN: "an invariant broke",
    INVALID: "invalid",
    REFUSED: "a step was refused, or not",
    failures.FAULT: "a fault of this program",
}


def _in_any_case(ground: Ground, path: Path, until: datetime | None, *, following: int) -> Outcome:
    """The same, and a fault of this program in one file keeps no other from being played."""
    try:
        return _play_file(ground, path, until, following=following)
    except Exception as error:
        failed = failures.told(error)
        if failed.exit_code != failures.FAULT:
            raise
        return Outcome(failures.FAULT, None, failed.sentences)


def _play_file(ground: Ground, path: Path, until: datetime | None, *, following: int = 0) -> Outcome:
    """`following`: how many files are played after it."""
    if not path.is_file():
        return Outcome(
            INVALID, None, ["the file: not_a_file (it leads nowhere, or is no plain file; mend it or take it out)"]
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        return Outcome(INVALID, None, [f"the file: unreadable ({error.strerror}; mend it or take it out)"])
    try:
        scenario = read_scenario(content.decode("utf-8"), name=path.name, until=until)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Outcome(INVALID, None, [f"line {line}: not_utf8 (save the file as UTF-8; byte {error.start} is not)"])
    except ScenarioInvalid as invalid:
        return Outcome(INVALID, None, [str(fault) for fault in invalid.faults])
    ground.expect(1 + following)
    return _player()(ground, scenario)


@cache
def _player() -> Callable[[Ground, Scenario], Outcome]:
    """Slow to load: the first database is copied meanwhile. Done once, since garbage that is there by then stays."""
    with garbage.loading():
        from billing.sandbox.scenario.playing.whole import play_whole  # noqa: PLC0415
    return play_whole


def _complain(name: str, outcome: Outcome) -> None:
    for complaint in outcome.complaints:
        click.echo(f"{name}: {complaint}", err=True)


def _write(told: dict[str, Any], out: str) -> None:
    text = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
    try:
        if out == _STDOUT:
            # As bytes: JSON is UTF-8 (RFC 8259, 8.1), whatever the terminal is.
            click.echo(text.encode(), nl=False)
        else:
            Path(out).write_text(text, encoding="utf-8")
    except BrokenPipeError:  # whoever read it has enough; click ends in silence
        raise
    except OSError as error:
        place = "standard output" if out == _STDOUT else out
        raise click.UsageError(f"{place} can't be written: {error.strerror}") from error
