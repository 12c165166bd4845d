"""`billing sandbox stripe`: run the stand-in until it is told to stop."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from types import FrameType

import click

from billing.sandbox.stripe import endpoints
from billing.sandbox.stripe.errors import ApiError
from billing.sandbox.stripe.server import Server, is_loopback
from billing.sandbox.stripe.store import MEMORY, Store, StoreInUse


def _only_loopback(_: click.Context, __: click.Parameter, host: str) -> str:
    if not is_loopback(host):
        raise click.BadParameter("the stand-in listens on loopback only")
    return host


@click.command("stripe")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=12111,
    show_default=True,
    help="Port on loopback; 0 picks a free one.",
)
@click.option("--host", default="127.0.0.1", show_default=True, callback=_only_loopback, help="A loopback address.")
@click.option("--store", "store_path", default=MEMORY, show_default=True, help="File that keeps the books.")
@click.option("--webhook-url", help="Deliver every event there.")
@click.option("--webhook-secret-env", help="Name of the environment variable that holds that endpoint's secret.")
@click.option("--seed", type=int, help="Makes faults with a rate repeatable.")
@click.option("--max-confirms", type=int, help="Confirms after which an intent is canceled.")
def stripe(  # noqa: PLR0917 - click calls it by name
    port: int,
    host: str,
    store_path: str,
    webhook_url: str | None,
    webhook_secret_env: str | None,
    seed: int | None,
    max_confirms: int | None,
) -> None:
    """Run a stand-in for Stripe on loopback: same protocol, test methods, faults on demand, and a witness."""
    secret = _secret(webhook_url, webhook_secret_env)
    if store_path != MEMORY:
        Path(store_path).parent.mkdir(parents=True, exist_ok=True)
    try:
        server = Server(Store(store_path), host=host, port=port, seed=seed)
    except (StoreInUse, OSError) as error:
        raise click.ClickException(str(error)) from error
    if max_confirms is not None:
        server.stand_in.configure({"max_confirms": max_confirms})
    if webhook_url is not None and secret is not None:
        _listen(server, webhook_url, secret)
    signal.signal(signal.SIGTERM, _end)
    click.echo(f"Stripe stand-in listens at {server.url}")
    with suppress(KeyboardInterrupt):
        server.run()


def _listen(server: Server, url: str, secret: str) -> None:
    try:
        endpoints.at_start(server.stand_in, url=url, secret=secret)
    except ApiError as error:
        raise click.UsageError(str(error)) from error


def _end(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def _secret(url: str | None, name: str | None) -> str | None:
    """The secret of the endpoint given at start. It comes from the environment, never from the command line."""
    if (url is None) != (name is None):
        raise click.UsageError("--webhook-url and --webhook-secret-env go together.")
    if name is None:
        return None
    secret = os.environ.get(name)
    if not secret:
        raise click.UsageError(f"The environment variable {name} is empty.")
    return secret
