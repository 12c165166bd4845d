"""`./run bench renewals`: real workers renew N due subscriptions, beside two floors; how the rate holds with size."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, text

from billing.flows import renewal
from billing.flows.parts import Parts
from billing.kernel import garbage
from billing.queue.names import RENEWALS_TICK
from billing.sandbox import processes
from billing.sandbox.bench.company import DUE, seed, set_clock
from billing.sandbox.bench.figures import Json, Report, Spread
from billing.sandbox.bench.mixed import EACH_KIND, seed_mixed
from billing.sandbox.bench.scratch import Scratch, cut_slices, engine_of, parts_of, rates_of, scratch, statements_of
from billing.sandbox.embedded import Embedded, start
from billing.sandbox.embedded.processes import wait_until
from billing.sandbox.environment import place_of
from billing.sandbox.processes import Program
from billing.sandbox.programs import child_environment, command
from billing.settings import Settings
from billing.wiring import build

ROW_BY_ROW = 500
"""Subscriptions billed one a transaction, for the comparison."""
ALONE = 8
"""Slices billed one after another in this process."""
_DEADLINE_S = 600.0
_LOOK_S = 0.1
"""Seldom: who looks takes time from who is measured."""
_TABLES = ("invoice", "invoice_line", "billing_period", "ledger_entry", "posting", "outbox")


@dataclass(frozen=True, slots=True)
class Result:
    """One run: documents a second, and what it took."""

    due: int
    total: int
    seconds: float
    peak_mb: float | None

    @property
    def rate(self) -> float:
        return self.due / self.seconds


@dataclass(frozen=True, slots=True)
class Alone:
    """One process: documents a second of whole slices, and the statements that slices of two sizes take."""

    rate: Spread
    statements: dict[int, int]


def run(*, simple: int, mixed: int, workers: int, curve: tuple[int, ...], report: Report) -> None:
    """Measure and tell. `simple` and `mixed` are due subscriptions; 0 leaves the one or the other out.

    Everything is made in a stack of its own and removed at the end.
    """
    servers = start(place_of("bench").root)
    figures: Json = {}
    try:
        if simple:
            figures["simple"] = _simple(servers, due=simple, workers=workers, report=report)
        if mixed:
            figures["mixed"] = _mixed(servers, due=mixed, workers=workers, report=report)
        if simple and curve:
            figures["curve"] = _curve(servers, curve, workers=workers, report=report)
    finally:
        servers.remove()
    report.end(figures)


def _simple(servers: Embedded, *, due: int, workers: int, report: Report) -> Json:
    with _company(servers, due=due, total=due, report=report) as made:
        main = _with_workers(made.engine, made.settings, due=due, total=due, workers=workers)
        floor_s = _floor(made.engine)
    whole = ALONE * made.settings.billing_slice_size
    with _company(servers, due=ROW_BY_ROW + 4 * EACH_KIND + whole, total=None, report=report) as made:
        alone = _in_this_process(made, first=ROW_BY_ROW)
        with parts_of(made) as parts:
            row_s = _row_by_row(parts, made.engine)
    others = {"one bare SQL statement, same rows": due / floor_s, "row by row, a commit each": ROW_BY_ROW / row_s}
    return _tell("simple", main, alone, others, report)


def _mixed(servers: Embedded, *, due: int, workers: int, report: Report) -> Json:
    with _mixed_company(servers, due=due, report=report) as made:
        main = _with_workers(made.engine, made.settings, due=due, total=due, workers=workers)
    whole = ALONE * made.settings.billing_slice_size
    with _mixed_company(servers, due=4 * EACH_KIND + whole, report=report) as made:
        alone = _in_this_process(made, first=0)
    return _tell("mixed", main, alone, {}, report)


def _curve(servers: Embedded, totals: tuple[int, ...], *, workers: int, report: Report) -> list[Json]:
    due, points = min(totals), []
    for total in totals:
        with _company(servers, due=due, total=total, report=report) as made:
            points.append(_with_workers(made.engine, made.settings, due=due, total=total, workers=workers))
    report.table(
        f"The same {due:,} due among more and more",
        ("subscriptions", "due", "documents a second"),
        [(f"{point.total:,}", f"{point.due:,}", f"{point.rate:,.0f}") for point in points],
    )
    return [{"subscriptions": point.total, "due": point.due, "documents_a_second": point.rate} for point in points]


def _tell(name: str, main: Result, alone: Alone, others: dict[str, float], report: Report) -> Json:
    workers_row = ("the engine, by real workers", f"{main.rate:,.0f}", "1.00")
    one_row = ("one process, a slice at a time", alone.rate.told(), f"{alone.rate.median / main.rate:.2f}")
    rows = [(what, f"{rate:,.0f}", f"{rate / main.rate:.2f}") for what, rate in others.items()]
    heading = ("what", "documents a second", "against the engine")
    report.table(f"Renewals, {name}: {main.due:,} due", heading, [workers_row, one_row, *rows])
    memory = "not known here" if main.peak_mb is None else f"{main.peak_mb:.0f} MB"
    counts = ", ".join(f"{count} for one of {size}" for size, count in alone.statements.items())
    report.line(f"statements a slice: {counts}; peak memory of a worker: {memory}")
    return {
        "due": main.due,
        "documents_a_second": round(main.rate, 1),
        "one_process": alone.rate.as_json(),
        "others": {what: round(rate, 1) for what, rate in others.items()},
        "statements_a_slice": {str(size): count for size, count in alone.statements.items()},
        "peak_mb": main.peak_mb,
    }


@contextmanager
def _company(servers: Embedded, *, due: int, total: int | None, report: Report) -> Iterator[Scratch]:
    total = total or due
    with scratch(servers) as made:
        report.progress(f"seeding {total:,} subscriptions, {due:,} of them due ...")
        seed(made.engine, made.keyring, due=due, total=total)
        yield made


@contextmanager
def _mixed_company(servers: Embedded, *, due: int, report: Report) -> Iterator[Scratch]:
    with scratch(servers) as made:
        report.progress(f"seeding {due:,} mixed subscriptions with their usage ...")
        seed_mixed(made.engine, made.keyring, due=due)
        yield made


def _in_this_process(made: Scratch, *, first: int) -> Alone:
    """Statements of slices of two sizes, and the rate of whole slices. The first slice, which warms up, is not told."""
    set_clock(made.engine, DUE)
    size = made.settings.billing_slice_size
    with parts_of(made) as parts:
        small = cut_slices(parts, made.engine, first=first, most=2 * EACH_KIND, size=EACH_KIND)
        (large,) = cut_slices(parts, made.engine, first=first + 2 * EACH_KIND, most=2 * EACH_KIND, size=2 * EACH_KIND)
        renewal.bill(parts, small[0])
        garbage.settle()  # As every worker does.
        statements = {EACH_KIND: statements_of(parts, small[1]), 2 * EACH_KIND: statements_of(parts, large)}
        slices = cut_slices(parts, made.engine, first=first + 4 * EACH_KIND, most=ALONE * size, size=size)
        return Alone(Spread.of(rates_of(parts, slices)), statements)


def _with_workers(engine: Engine, settings: Settings, *, due: int, total: int, workers: int) -> Result:
    """From the tick to the last commit, with stock Celery workers."""
    place = place_of("bench")
    place.folder.mkdir(mode=0o700, exist_ok=True)
    names = [f"worker-{number}" for number in range(1, workers + 1)]
    values = {
        "DATABASE_URL": settings.database_url or "",
        "BROKER_URL": settings.broker_url or "",
        "BILLING_SECRET_KEY": settings.billing_secret_key.get_secret_value() if settings.billing_secret_key else "",
        "BILLING_SANDBOX": "1",
        "BILLING_PLAN_LIMIT": str(settings.billing_plan_limit),
        "BILLING_LOG_LEVEL": "WARNING",
    }
    # The clock stands before the due moment until all workers are there.
    for name in names:
        # Plain: queue `renewals` only, so that nothing but renewing is measured.
        line = [*_worker_command(name), "-Q", "renewals"]
        processes.launch(place.folder, Program(name, line, child_environment(place, values)))
    parts = build(settings)
    try:
        _wait_for_workers(settings, workers)
        set_clock(engine, DUE)
        began = time.monotonic()
        _tick(settings)
        _wait_for_invoices(engine, due)
        seconds = time.monotonic() - began
        peak = _peak_mb(place.folder, names)
    finally:
        processes.stop(place.folder, names)
        engine_of(parts).dispose()
    return Result(due=due, total=total, seconds=seconds, peak_mb=peak)


def _floor(engine: Engine) -> float:
    """The same rows into tables with the same columns, types and indexes, by one statement."""
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA floor"))
        for name in _TABLES:
            like = f"LIKE billing.{name} INCLUDING INDEXES INCLUDING DEFAULTS"
            connection.execute(text(f"CREATE TABLE floor.{name} ({like})"))
    parts = ", ".join(f"{name} AS (INSERT INTO floor.{name} SELECT * FROM billing.{name})" for name in _TABLES)  # noqa: S608
    began = time.monotonic()
    with engine.begin() as connection:
        connection.execute(text(f"WITH {parts} SELECT 1"))
    return time.monotonic() - began


def _row_by_row(parts: Parts, engine: Engine) -> float:
    slices = cut_slices(parts, engine, first=0, most=ROW_BY_ROW, size=1)
    began = time.monotonic()
    for slice_id in slices:
        renewal.bill(parts, slice_id)
    return time.monotonic() - began


def _worker_command(name: str) -> list[str]:
    from billing.sandbox.plan import Plan  # noqa: PLC0415

    return command(name, place_of("bench"), Plan())


def _wait_for_workers(settings: Settings, workers: int) -> None:
    from billing.queue.celery import make_app  # noqa: PLC0415

    app = make_app(settings)
    if not wait_until(lambda: len(app.control.ping(timeout=1.0)) >= workers, seconds=_DEADLINE_S):
        raise RuntimeError("the workers do not answer")


def _tick(settings: Settings) -> None:
    from billing.queue.celery import CeleryTransport, make_app  # noqa: PLC0415

    CeleryTransport(make_app(settings)).send([(RENEWALS_TICK, ())])


def _wait_for_invoices(engine: Engine, wanted: int) -> None:
    def all_there() -> bool:
        with engine.connect() as connection:
            issued: int = connection.execute(text("SELECT max(next_no) - 1 FROM billing.series")).scalar_one()
        return issued >= wanted

    until = time.monotonic() + _DEADLINE_S
    while not all_there():
        if time.monotonic() > until:
            raise RuntimeError("not all subscriptions were renewed")
        time.sleep(_LOOK_S)


def _peak_mb(folder: Path, names: list[str]) -> float | None:
    """The largest resident size that any of the workers' processes ever had; None where /proc is not."""
    peaks = []
    for name in names:
        found = processes.find(folder, name)
        for pid in _family(found.pid) if found else []:
            status = Path(f"/proc/{pid}/status")
            if status.exists():
                line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
                peaks.append(int(line.split()[1]) / 1024)
    return max(peaks, default=None)


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [pid, *map(int, children.read_text().split())] if children.exists() else [pid]
