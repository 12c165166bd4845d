"""`billing sandbox stripe`: run the stand-in until it is told to stop."""

from __future__ import annotations

import os

import click

from billing.sandbox.stripe import endpoints
from billing.sandbox.stripe.errors import ApiError
from billing.sandbox.stripe.running import books, stand, standing_at
from billing.sandbox.stripe.server import Server, is_loopback


def _only_loopback(_: click.Context, __: click.Parameter, host: str) -> str:
    if not is_loopback(host):
        raise click.BadParameter("the stand-in listens on loopback only")
    return host


@click.command("stripe")
@standing_at(12111)
@click.option("--host", default="127.0.0.1", show_default=True, callback=_only_loopback, help="A loopback address.")
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
    with books(store_path) as store:
        server = Server(store, host=host, port=port, seed=seed)
    if max_confirms is not None:
        server.stand_in.configure({"max_confirms": max_confirms})
    if webhook_url is not None and secret is not None:
        _listen(server, webhook_url, secret)
    stand(server, "Stripe")


def _listen(server: Server, url: str, secret: str) -> None:
    try:
        endpoints.at_start(server.stand_in, url=url, secret=secret)
    except ApiError as error:
        raise click.UsageError(str(error)) from error


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
