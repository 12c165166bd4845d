"""`./run bench NAME`."""

from __future__ import annotations

import click

from billing.sandbox.bench import api as api_bench
from billing.sandbox.bench import audits as audits_bench
from billing.sandbox.bench import charges as charges_bench
from billing.sandbox.bench import pdf as pdf_bench
from billing.sandbox.bench import recognition as recognition_bench
from billing.sandbox.bench import renewals as renewals_bench
from billing.sandbox.bench import simulate as simulate_bench
from billing.sandbox.bench import telling as telling_bench
from billing.sandbox.bench import usage as usage_bench
from billing.sandbox.bench import webhooks as webhooks_bench
from billing.sandbox.bench.figures import Report

_SOME = click.IntRange(min=1)
_JSON = click.option("--json", "as_json", is_flag=True, help="All figures as JSON on standard output.")


@click.group()
def bench() -> None:
    """Measure the engine on this machine. Numbers are of this run; compare the ratios."""


@bench.command()
@click.option("--due", type=_SOME, default=50_000, show_default=True, help="Due subscriptions of one licensed item.")
@click.option("--mixed-due", type=_SOME, default=50_000, show_default=True, help="Due subscriptions of the mix.")
@click.option("--mixed/--simple", "mixed", default=None, help="Only the one or the other; without, both.")
@click.option("--workers", type=_SOME, default=2, show_default=True, help="Real Celery workers.")
@click.option("--curve/--no-curve", default=True, help="Also the same number due among 5,000 to 500,000 subscriptions.")
@_JSON
def renewals(*, due: int, mixed_due: int, mixed: bool | None, workers: int, curve: bool, as_json: bool) -> None:
    """Documents a second, beside one bare SQL statement and row-by-row committing; the same of a mix of everything."""
    renewals_bench.run(
        simple=0 if mixed else due,
        mixed=0 if mixed is False else mixed_due,
        workers=workers,
        curve=(5_000, 50_000, 500_000) if curve else (),
        report=Report(as_json),
    )


@bench.command()
@click.option("--seconds", type=_SOME, default=20, show_default=True, help="How long each case with a cap is to last.")
@click.option("--charges", type=_SOME, default=3_000, show_default=True, help="Of the case without a cap.")
@click.option("--full", is_flag=True, help="100,000 charges in the case without a cap: memory over a long run.")
@click.option("--in-flight", type=_SOME, default=48, show_default=True, help="Calls at once, of both.")
@_JSON
def charges(*, seconds: int, charges: int, full: bool, in_flight: int, as_json: bool) -> None:
    """One worker against a slow stand-in with a cap, with and without webhook re-reads; and beside the bare SDK."""
    number = 100_000 if full else charges
    charges_bench.run(seconds=seconds, charges=number, in_flight=in_flight, report=Report(as_json))


@bench.command()
@click.option("--invoices", type=_SOME, default=1_000_000, show_default=True, help="In the large table.")
@click.option("--seconds", type=_SOME, default=10, show_default=True, help="How long each request is made.")
@_JSON
def api(*, invoices: int, seconds: int, as_json: bool) -> None:
    """Requests a second of the HTTP API, over a large table and over a hundredth of it."""
    api_bench.run(invoices=invoices, seconds=seconds, report=Report(as_json))


@bench.command()
@click.option("--batches", type=_SOME, default=10, show_default=True, help="Batches of 10,000 records.")
@click.option("--subscriptions", type=_SOME, default=1_000, show_default=True, help="That the records are spread over.")
@_JSON
def usage(*, batches: int, subscriptions: int, as_json: bool) -> None:
    """Records of usage a second, new ones and repeated ones."""
    usage_bench.run(batches=batches, subscriptions=subscriptions, report=Report(as_json))


@bench.command()
@click.option("--rounds", type=_SOME, default=5, show_default=True, help="How often each example is played.")
@click.option("--subscriptions", type=int, default=100, show_default=True, help="Of one long scenario; 0: none.")
@click.option("--years", type=_SOME, default=3, show_default=True, help="How long it is.")
@_JSON
def simulate(*, rounds: int, subscriptions: int, years: int, as_json: bool) -> None:
    """Scenario files a second; and one long scenario with many subscriptions, usage and changes."""
    simulate_bench.run(rounds=rounds, subscriptions=subscriptions, years=years, report=Report(as_json))


@bench.command()
@click.option("--due", type=_SOME, default=100_000, show_default=True, help="Lines that are due.")
@click.option("--others", type=int, default=400_000, show_default=True, help="Lines that are not.")
@_JSON
def recognition(*, due: int, others: int, as_json: bool) -> None:
    """Lines whose revenue is recognised in a second, beside a bare update of the same rows."""
    recognition_bench.run(due=due, others=others, report=Report(as_json))


@bench.command()
@click.option("--invoices", type=_SOME, default=200_000, show_default=True, help="Invoices, billed and paid.")
@click.option("--recent", type=_SOME, default=2_000, show_default=True, help="Invoices that came since.")
@click.option("--copies", type=int, default=0, help="Copy the invoices so many times, and time what is recent alone.")
@_JSON
def audit(*, invoices: int, recent: int, copies: int, as_json: bool) -> None:
    """How long the audit takes: of everything, of what changed, and of nothing new."""
    audits_bench.run(invoices=invoices, recent=recent, copies=copies, report=Report(as_json))


@bench.command()
@click.option("--documents", type=_SOME, default=1_000, show_default=True, help="Documents of 12 lines.")
@click.option("--lines", type=_SOME, default=400, show_default=True, help="Of one long document.")
@_JSON
def pdf(*, documents: int, lines: int, as_json: bool) -> None:
    """Documents that one process sets in a second, as PDF/A and as pages, and its memory over all of them."""
    pdf_bench.run(documents=documents, lines=lines, report=Report(as_json))


@bench.command()
@click.option("--events", type=_SOME, default=8_000, show_default=True, help="Deliveries of each kind.")
@_JSON
def webhooks(*, events: int, as_json: bool) -> None:
    """Deliveries a second that one receiver process takes in, its latency, and how fast a worker works them off."""
    webhooks_bench.run(events=events, report=Report(as_json))


@bench.command("events")
@click.option("--events", type=_SOME, default=2_000, show_default=True, help="Domain events of each case.")
@click.option("--per-second", type=_SOME, default=100, show_default=True, help="So many are committed in the first.")
@_JSON
def telling(*, events: int, per_second: int, as_json: bool) -> None:
    """How soon after its commit an event of ours reaches the host application, and how many a second do."""
    telling_bench.run(events=events, per_s=per_second, report=Report(as_json))


if __name__ == "__main__":
    bench()
