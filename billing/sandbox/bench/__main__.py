"""`./run bench NAME`."""

from __future__ import annotations

import click
from rich.console import Console

from billing.sandbox.bench import renewals as renewals_bench


@click.group()
def bench() -> None:
    """Measure the engine on this machine. Numbers are of this run; compare the ratios."""


@bench.command()
@click.option("--due", default=50_000, show_default=True, help="Due subscriptions to renew.")
@click.option("--workers", default=2, show_default=True, help="Real Celery workers.")
@click.option("--curve/--no-curve", default=True, help="Also the same number due among 5,000 to 500,000 subscriptions.")
def renewals(*, due: int, workers: int, curve: bool) -> None:
    """Invoices a second, beside one bare SQL statement and beside row-by-row committing."""
    points = (5_000, 50_000, 500_000) if curve else ()
    renewals_bench.run(due=due, workers=workers, curve=points, console=Console())


if __name__ == "__main__":
    bench()
