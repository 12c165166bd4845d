"""`./run bench renewals`: real workers renew N due subscriptions, beside two floors; how the rate holds with size."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from pydantic import SecretStr
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from billing.commands.slice.cut import cut
from billing.db.migrate import upgrade
from billing.flows import renewal
from billing.flows.parts import Parts
from billing.privacy.keyring import Keyring, generate
from billing.queue.buffer import Message
from billing.queue.names import RENEWALS_TICK
from billing.sandbox import processes
from billing.sandbox.bench.company import DUE, seed, set_clock
from billing.sandbox.bench.counting import counting_statements
from billing.sandbox.embedded import Embedded, start
from billing.sandbox.embedded.processes import wait_until
from billing.sandbox.environment import ROOT, place_of
from billing.sandbox.processes import Program
from billing.sandbox.programs import child_environment, command
from billing.settings import Settings
from billing.wiring import build

ROW_BY_ROW = 500
"""Subscriptions billed one a transaction, for the comparison."""
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


class _Nowhere:
    """A transport for what runs in this process: nobody is to be woken."""

    def send(self, messages: list[Message]) -> None:
        """Forget them."""


def run(*, due: int, workers: int, curve: tuple[int, ...], console: Console) -> None:
    """Measure and print. Everything is made in a stack of its own and removed at the end."""
    servers = start(place_of("bench").root)
    try:
        _measure(servers, due=due, workers=workers, curve=curve, console=console)
    finally:
        servers.remove()


def _measure(servers: Embedded, *, due: int, workers: int, curve: tuple[int, ...], console: Console) -> None:
    with _database(servers, due=due, total=due, console=console) as (engine, settings):
        main = _with_workers(engine, settings, due=due, total=due, workers=workers)
        floor_s = _floor(engine)
    with _database(servers, due=ROW_BY_ROW + 250, total=ROW_BY_ROW + 250, console=console) as (engine, settings):
        parts = build(settings, transport=_Nowhere())
        queries = _queries_of_a_slice(parts, engine)
        row_s = _row_by_row(parts, engine)
    table = Table(title=f"Renewals: {due:,} due, {workers} workers", title_justify="left")
    for heading in ("what", "invoices a second", "against the engine"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    table.add_row(f"the engine, {workers} real workers", f"{main.rate:,.0f}", "1.00")
    for name, rate in (
        ("floor: one bare SQL statement, same rows", due / floor_s),
        ("row by row, a commit each", ROW_BY_ROW / row_s),
    ):
        table.add_row(name, f"{rate:,.0f}", f"{rate / main.rate:.2f}")
    console.print(table)
    memory = "not known here" if main.peak_mb is None else f"{main.peak_mb:.0f} MB"
    console.print(f"statements a slice of {settings.billing_slice_size}: {queries}; peak memory of a worker: {memory}")
    if not curve:
        return
    table = Table(title=f"The same {min(curve):,} due among more and more", title_justify="left")
    for heading in ("subscriptions", "due", "invoices a second"):
        table.add_column(heading, justify="right")
    for total in curve:
        with _database(servers, due=min(curve), total=total, console=console) as (engine, settings):
            point = _with_workers(engine, settings, due=min(curve), total=total, workers=workers)
        table.add_row(f"{point.total:,}", f"{point.due:,}", f"{point.rate:,.0f}")
    console.print(table)


@contextmanager
def _database(servers: Embedded, *, due: int, total: int, console: Console) -> Iterator[tuple[Engine, Settings]]:
    admin = create_engine(servers.database_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS bench WITH (FORCE)"))
        connection.execute(text("CREATE DATABASE bench"))
    url = admin.url.set(database="bench").render_as_string(hide_password=False)
    upgrade(url)
    secret = generate()
    engine = create_engine(url)
    console.print(f"seeding {total:,} subscriptions, {due:,} of them due ...")
    seed(engine, Keyring.from_setting(secret), due=due, total=total)
    settings = Settings(
        database_url=url,
        broker_url=servers.broker_url,
        billing_secret_key=SecretStr(secret),
        billing_sandbox=True,
        billing_plan_limit=1_000_000,
    )
    yield engine, settings
    engine.dispose()


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
        processes.launch(place.folder, Program(name, line, child_environment(place, values)), cwd=ROOT)
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


def _queries_of_a_slice(parts: Parts, engine: Engine) -> int:
    set_clock(engine, DUE)
    slices = _cut(parts, engine, first=ROW_BY_ROW, most=250, size=125)
    renewal.bill(parts, slices[0])
    with counting_statements() as sent:
        renewal.bill(parts, slices[1])
    return len(sent)


def _row_by_row(parts: Parts, engine: Engine) -> float:
    slices = _cut(parts, engine, first=0, most=ROW_BY_ROW, size=1)
    began = time.monotonic()
    for slice_id in slices:
        renewal.bill(parts, slice_id)
    return time.monotonic() - began


def _cut(parts: Parts, engine: Engine, *, first: int, most: int, size: int) -> list[UUID]:
    with engine.begin() as connection:
        query = text("SELECT id FROM billing.profile ORDER BY id OFFSET :first LIMIT :most")
        members = list(connection.execute(query, {"first": first, "most": most}).scalars())
    with parts.begin() as session:
        return cut(session, kind="renewals", members=members, size=size)


def engine_of(parts: Parts) -> Engine:
    """The engine behind the parts' sessions."""
    engine: Engine = parts.sessions.kw["bind"]
    return engine


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
