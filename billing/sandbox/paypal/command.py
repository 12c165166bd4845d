"""`billing sandbox paypal`: run the stand-in until it is told to stop."""

from __future__ import annotations

import click

from billing.sandbox.paypal.app import create_app
from billing.sandbox.stripe.running import books, stand, standing_at
from billing.sandbox.stripe.server import Server


@click.command("paypal")
@standing_at(12112)
@click.option("--seed", type=int, help="Makes faults with a rate repeatable.")
def paypal(*, port: int, store_path: str, seed: int | None) -> None:
    """Run a stand-in for PayPal on loopback: same protocol, test wallets, faults on demand, and a witness."""
    with books(store_path) as store:
        server = Server(store, port=port, seed=seed, make=create_app)
    stand(server, "PayPal")
