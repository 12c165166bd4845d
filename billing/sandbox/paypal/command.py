"""`billing sandbox paypal`: run the stand-in until it is told to stop."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path
from types import FrameType

import click

from billing.sandbox.paypal.app import create_app
from billing.sandbox.stripe.server import Server
from billing.sandbox.stripe.store import MEMORY, Store, StoreInUse


@click.command("paypal")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=12112,
    show_default=True,
    help="Port on loopback; 0 picks a free one.",
)
@click.option("--store", "store_path", default=MEMORY, show_default=True, help="File that keeps the books.")
@click.option("--seed", type=int, help="Makes faults with a rate repeatable.")
def paypal(*, port: int, store_path: str, seed: int | None) -> None:
    """Run a stand-in for PayPal on loopback: same protocol, test wallets, faults on demand, and a witness."""
    if store_path != MEMORY:
        Path(store_path).parent.mkdir(parents=True, exist_ok=True)
    try:
        server = Server(Store(store_path), port=port, seed=seed, make=create_app)
    except (StoreInUse, OSError) as error:
        raise click.ClickException(str(error)) from error
    signal.signal(signal.SIGTERM, _end)
    click.echo(f"PayPal stand-in listens at {server.url}")
    with suppress(KeyboardInterrupt):
        server.run()


def _end(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
