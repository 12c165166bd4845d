"""`./run crash`: the failure matrix, cycle by cycle, until it is through or the time is up."""

from __future__ import annotations

import fcntl
import logging
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import click

from billing.kernel.errors import BillingError, Unavailable
from billing.sandbox.crash import report
from billing.sandbox.crash.case import Case, Row, Trace
from billing.sandbox.crash.ground import Templates
from billing.sandbox.crash.house import HOUSES
from billing.sandbox.crash.journal import Journal
from billing.sandbox.crash.nemesis import run as hurt_at_random
from billing.sandbox.crash.processes import Nursery
from billing.sandbox.crash.rows import BY_WALLET, ROWS
from billing.sandbox.crash.run import Grounds, lanes, record, run_all
from billing.sandbox.embedded import start as start_servers
from billing.sandbox.environment import ROOT

FOLDER = ROOT / "var" / "crash"


@click.command("crash", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rows", "wanted", help="Rows of the matrix: 1,2,16-19,saved-500. By default all.")
@click.option("--case", "part", default="", help="Only cases whose name contains this.")
@click.option("--provider", type=click.Choice(sorted(HOUSES)), default="stripe", help="By whom all customers pay.")
@click.option("--seed", default=1, show_default=True, help="Order of the cycles, and the provider's faults by chance.")
@click.option("--minutes", type=float, help="Begin no cycle after so many minutes.")
@click.option("--lanes", "count", default=max(2, os.cpu_count() or 2), show_default=True, help="Cycles at once.")
@click.option("--nemesis", is_flag=True, help="Faults by a seeded chance for --minutes (default 5), instead of rows.")
@click.option("--list", "only_list", is_flag=True, help="Show the rows and run nothing.")
@click.option("--fresh", is_flag=True, help="Run again what held already in an earlier run of this code.")
def main(
    *,
    wanted: str | None,
    part: str,
    provider: str,
    seed: int,
    minutes: float | None,
    count: int,
    nemesis: bool,
    only_list: bool,
    fresh: bool,
) -> None:
    """Kill real workers at every failpoint, heal, and compare the books with the provider's."""
    rows = [row for row in _chosen(wanted) if provider == "stripe" or row.number in BY_WALLET]
    if only_list:
        for row in rows:
            click.echo(f"{row.number:>13}  {row.title}")
        return
    until = time.monotonic() + minutes * 60 if minutes is not None else float("inf")
    try:
        with _alone(), ExitStack() as undo:
            if nemesis:
                sys.exit(1 if _nemesis(minutes or _NEMESIS_MINUTES, seed=seed, undo=undo) else 0)
            failed = _run(rows, part, provider=provider, seed=seed, until=until, count=count, fresh=fresh, undo=undo)
    except BillingError as error:
        raise click.ClickException(str(error)) from error
    sys.exit(1 if failed else 0)


def _run(
    rows: Sequence[Row],
    part: str,
    *,
    provider: str,
    seed: int,
    until: float,
    count: int,
    fresh: bool,
    undo: ExitStack,
) -> bool:
    # The stand-ins run here, in threads; how full their queues are is no news.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    folder = FOLDER if provider == "stripe" else FOLDER / provider
    journal = Journal(folder, seed=seed)
    if fresh and not part:
        journal.forget()
    nursery = Nursery()
    undo.callback(nursery.close)
    databases = Templates(os.environ.get("DATABASE_URL") or _own_database(undo))
    undo.callback(databases.close)
    grounds = Grounds(databases, nursery, folder, seed=seed)
    brokers = undo.enter_context(lanes(count))
    if journal.trace is None:
        click.echo("Recording what a run unharmed passes ...")
        journal.note_trace(record(grounds, brokers[0], provider=provider))
    assert journal.trace is not None
    cases = [_paid_by(provider, case) for case in _cases(rows, part, journal.trace)]
    if not cases:
        raise Unavailable(f"no case of these rows contains '{part}'")
    left = [case for case in cases if fresh or not journal.holds(case.row, case.name)]
    random.Random(seed).shuffle(left)  # noqa: S311 (an order, not a secret)
    click.echo(f"{len(cases)} cases, {len(cases) - len(left)} of them held before; {count} at once; seed {seed}.")
    for number, result in enumerate(run_all(left, grounds, brokers, until=until), start=1):
        journal.note(result)
        click.echo(report.line(result, number=number, of=len(left)))
        if result.failed:
            click.echo("\n".join(report.trouble(result, seed=seed)))
    results = [found for case in cases if (found := journal.results.get((case.row, case.name)))]
    click.echo("\n" + "\n".join(report.table(rows, cases, results)))
    return any(result.failed for result in results)


_NEMESIS_MINUTES = 5.0


def _nemesis(minutes: float, *, seed: int, undo: ExitStack) -> bool:
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    nursery = Nursery()
    undo.callback(nursery.close)
    databases = Templates(_own_database(undo))
    undo.callback(databases.close)
    (broker,) = undo.enter_context(lanes(1))
    click.echo(f"Faults for {minutes:g} minutes, seed {seed} ...")
    result, told = hurt_at_random(Grounds(databases, nursery, FOLDER, seed=seed), broker, minutes=minutes, seed=seed)
    click.echo("\n".join(told.lines(result)))
    if result.failed:
        click.echo(f"{result.outcome}; logs: {result.folder}")
        click.echo(f"again: ./run crash --nemesis --minutes {minutes:g} --seed {seed}")
    return result.failed


def _own_database(undo: ExitStack) -> str:
    servers = start_servers(ROOT / ".stacks" / "crash", fast=True)
    undo.callback(servers.stop)
    return servers.database_url


def _cases(rows: Sequence[Row], part: str, trace: Trace) -> list[Case]:
    return [case for row in rows for case in row.cases(trace) if part in case.name]


def _paid_by(provider: str, case: Case) -> Case:
    return replace(case, world=replace(case.world, provider=provider))


def _chosen(wanted: str | None) -> list[Row]:
    known = {row.number: row for row in ROWS}
    if wanted is None:
        return list(ROWS)
    numbers: set[str] = set()
    for each in wanted.split(","):
        first, dash, last = each.strip().partition("-")
        if dash and first.isdecimal() and last.isdecimal():
            numbers |= {number for number in known if number.isdecimal() and int(first) <= int(number) <= int(last)}
        elif each.strip() in known:
            numbers.add(each.strip())
        else:
            raise click.BadParameter(f"there is no row {each}; see --list", param_hint="--rows")
    return [row for row in ROWS if row.number in numbers]


@contextmanager
def _alone() -> Iterator[None]:
    """One run of the matrix a checkout at a time."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    handle = os.open(Path(FOLDER) / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Unavailable("another ./run crash is under way in this checkout; wait for its end") from None
    try:
        yield
    finally:
        os.close(handle)


if __name__ == "__main__":
    main()
