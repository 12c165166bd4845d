"""`billing domain`: the customer's page among the domains on which wallets may be offered."""

from __future__ import annotations

from dataclasses import asdict

import click

from billing.flows.page_domain import register as register_domain
from billing.ops.failures import FINDING
from billing.ops.group import group
from billing.ops.opening import opened
from billing.ops.options import as_json
from billing.ops.telling import tell_json
from billing.rules.method_name import wallet_name


@group("domain")
def domain() -> None:
    """The domain of the customer's page: register it, so that wallets are offered there."""


@domain.command("register")
@click.option("--account", default="default", show_default=True, metavar="CODE", help="The account of Stripe.")
@as_json
@click.pass_context
def register(context: click.Context, *, account: str, as_json: bool) -> None:
    """Register the host of BILLING_PUBLIC_URL with Stripe for Apple Pay, Google Pay and Link. A repeat changes nothing.

    Ends with status 1 where a wallet is not ready there, or the domain is switched off.
    """
    facts = register_domain(opened(), code=account)
    if as_json:
        tell_json(asdict(facts))
    else:
        ready = ", ".join(str(wallet_name(wallet)) for wallet in facts.ready)
        click.echo(f"{facts.name} is registered ({facts.domain_ref}); it may offer {ready or 'nothing'}.")
        if facts.waiting:
            waiting = ", ".join(str(wallet_name(wallet)) for wallet in facts.waiting)
            click.echo(f"Not ready: {waiting}. Stripe's dashboard says why, under Payment method domains.")
        if not facts.enabled:
            click.echo("It is switched off in Stripe's dashboard, under Payment method domains.")
    context.exit(FINDING if facts.waiting or not facts.enabled else 0)
