"""What the demo shows: how far it is, the closing table, the verdict."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from billing.kernel.money import format_minor
from billing.ops.screen import Screen
from billing.sandbox.demo.accident import Accident
from billing.sandbox.demo.figures import Figures
from billing.sandbox.demo.play import Scene, Watch
from billing.sandbox.demo.proof import Finding, Proof
from billing.sandbox.waiting import counted

_LINE_EVERY_S = 3.0
_PIPED_WIDTH = 110


def console() -> Screen:
    """Standard output, wide enough where it is no terminal."""
    plain = Screen(highlight=False)
    return plain if plain.is_terminal else Screen(highlight=False, width=_PIPED_WIDTH)


@contextmanager
def watching(out: Screen, *, start: datetime, end: datetime) -> Iterator[Watch]:
    """A bar on a terminal, else a line every few seconds."""
    if not out.is_terminal:
        yield _lines(out)
        return
    columns = (TextColumn("{task.fields[date]}"), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=out) as bar:
        whole = (end - start).total_seconds()
        task = bar.add_task("", total=whole, date=f"{start:%Y-%m-%d}")

        def watch(scene: Scene) -> None:
            done = (scene.now - start).total_seconds()
            bar.update(task, completed=done, date=f"{scene.now:%Y-%m-%d}", description=_words(scene))

        yield watch


def _lines(out: Screen) -> Watch:
    shown = time.monotonic() - _LINE_EVERY_S

    def watch(scene: Scene) -> None:
        nonlocal shown
        if time.monotonic() - shown >= _LINE_EVERY_S:
            out.print(f"{scene.now:%Y-%m-%d}  {_words(scene)}")
            shown = time.monotonic()

    return watch


def _words(scene: Scene) -> str:
    return f"{counted(scene.invoices, 'invoice', 'invoices')}, {scene.paid} paid, {scene.failing} failing"


def show_figures(out: Screen, figures: Figures, accident: Accident | None) -> None:
    """The closing tables."""
    money = Table("currency", title="Invoices", title_justify="left")
    for name in ("invoices", "issued", "charged", "outstanding"):
        money.add_column(name, justify="right")
    for each in figures.currencies:
        amounts = (each.issued_minor, each.paid_minor, each.outstanding_minor)
        plain = (format_minor(amount, each.currency).rpartition(" ")[0] for amount in amounts)
        money.add_row(each.currency.upper(), str(each.invoices), *plain)
    out.print(money)
    facts = Table("what", "how many", title="What happened", title_justify="left", show_header=False)
    for what, how_many in _facts(figures, accident):
        facts.add_row(what, escape(how_many))
    out.print(facts)


def _facts(figures: Figures, accident: Accident | None) -> Iterator[tuple[str, str]]:
    yield "attempts", _listed(figures.attempts)
    yield "declined, paid later", counted(figures.recovered, "invoice", "invoices")
    yield "declined, still open", counted(figures.failing, "invoice", "invoices")
    resolved = figures.unknown_met - figures.unknown_left
    yield "outcome unknown at first", f"{figures.unknown_met}, resolved by evidence {resolved}"
    yield "faults at the providers", _listed(figures.faults)
    twice, never = f"{figures.repeats} delivered twice and kept once", f"{figures.dropped} never delivered"
    yield "events", f"{figures.events} received, {twice}, {never}"
    yield "charges whose event never came", f"{figures.settled_without_event}, all settled by answer or by asking"
    if accident is None:
        yield "accident", "no worker was caught while it charged"
    else:
        what = f"{accident.worker} killed (SIGKILL) on {accident.at:%Y-%m-%d} and started again"
        yield "accident", f"{what}, {counted(accident.under_way, 'charge', 'charges')} being on the way"
    yield "open work items", _listed(figures.work_items)


def show_proof(out: Screen, proof: Proof) -> None:
    """The audit's verdict and the comparison with the witness."""
    broken = sum(bool(each.against) for each in proof.invariants)
    verdict = f"[bold red]{broken} broken[/]" if broken else "[green]all hold[/]"
    audited = Table(
        "invariant", "", title=f"Audit: {len(proof.invariants)} invariants, {verdict}", title_justify="left"
    )
    for each in proof.invariants:
        audited.add_row(escape(each.holds), _mark(each))
    out.print(audited)
    compared = Table("currency", title="Three books, written apart", title_justify="left")
    for name in ("charged at the providers", "our clearing account", "paid on invoices"):
        compared.add_column(name, justify="right")
    for currency in sorted({*proof.at_provider, *proof.in_clearing, *proof.on_invoices}):
        books = (proof.at_provider, proof.in_clearing, proof.on_invoices)
        compared.add_row(currency.upper(), *(format_minor(book.get(currency, 0), currency) for book in books))
    out.print(compared)
    for each in proof.comparison:
        out.print(f"{_mark(each)}  {escape(each.holds)}")


def show_wrong(out: Screen, wrong: list[str]) -> None:
    """The last lines: what is wrong, or that nothing is."""
    for what in wrong:
        out.print(f"[bold red]wrong[/]  {escape(what)}", soft_wrap=True)
    if not wrong:
        out.print("[bold green]Nobody was charged twice, and nothing was missed.[/]")


def _mark(finding: Finding) -> str:
    return f"[bold red]{len(finding.against)} broken[/]" if finding.against else "[green]holds[/]"


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count) or "none"
