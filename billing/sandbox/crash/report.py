"""The closing table: what was injected, what held, how soon all was well again, and what was not reached."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median

from billing.sandbox.crash.case import Case, Row
from billing.sandbox.crash.run import Result

_POINT = re.compile(r"[a-z_]+\.[a-z_]+@\d+")
_FLOWS = Path(__file__).parents[2] / "flows"
_IN_CODE = re.compile(r"""\bfailpoint\("([a-z_.]+)"\)""")


def points_in_code() -> set[str]:
    """Every failpoint that stands in a flow."""
    return {name for path in _FLOWS.glob("*.py") for name in _IN_CODE.findall(path.read_text())}


def line(result: Result, *, number: int, of: int) -> str:
    """Progress, one cycle."""
    recovered = f"{result.recovery_s:5.1f} s" if result.recovery_s is not None else "      -"
    took = f"{result.seconds:5.1f} s, recovered in {recovered}"
    return f"[{number:>4}/{of}] {result.row:>13}  {result.outcome:<11} {took}  {result.name}"


def trouble(result: Result, *, seed: int) -> Iterator[str]:
    """What a failed cycle says: every problem, the logs, and how to see it again."""
    yield from (f"        {problem}" for problem in result.problems)
    yield f"        logs: {result.folder}"
    yield f"        again: ./run crash --rows {result.row} --case '{result.name}' --seed {seed} --fresh"


def table(rows: Sequence[Row], cases: Sequence[Case], results: Iterable[Result]) -> Iterator[str]:
    """One line a row, totals, and what was not reached. Times are seconds of wall time."""
    done = list(results)
    yield f"{'row':>13}  {'cases':>5} {'held':>5} {'faults':>6} {'median':>7} {'worst':>7}  "
    for row in rows:
        planned = [case for case in cases if case.row == row.number]
        yield _line(row.number, row.title, len(planned), [each for each in done if each.row == row.number])
    yield _line("all", "", len(cases), done)
    points = {point for each in done if each.recovery_s is not None for point in _POINT.findall(each.name)}
    failed = [each for each in done if each.failed]
    missed = [each for each in done if not each.failed and each.outcome != "held"]
    run = {(each.row, each.name) for each in done}
    unrun = [case for case in cases if (case.row, case.name) not in run]
    yield ""
    yield f"{len(points)} different hits of failpoints; violations and cycles that did not converge: {len(failed)}"
    yield from (f"  failed: row {each.row}, {each.name}: {each.outcome}" for each in failed)
    yield from (f"  not reached in this run: row {each.row}, {each.name}" for each in missed)
    never = points_in_code() - {point.partition("@")[0] for point in points}
    if never:
        yield f"  failpoints at which these rows killed nothing: {', '.join(sorted(never))}"
    if unrun:
        yield f"  not run, the time was up: {len(unrun)} cases; the next start goes on there"


def _line(number: str, title: str, planned: int, done: Sequence[Result]) -> str:
    held = sum(each.outcome == "held" for each in done)
    faults = sum(each.faults for each in done)
    times = [each.recovery_s for each in done if each.recovery_s is not None]
    middle, worst = (f"{median(times):.1f}", f"{max(times):.1f}") if times else ("-", "-")
    return f"{number:>13}  {planned:>5} {held:>5} {faults:>6} {middle:>7} {worst:>7}  {title}"
