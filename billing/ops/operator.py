"""`billing operator`: who may enter the console."""

from __future__ import annotations

import click

from billing.flows import operators as flow
from billing.flows.operators import Admitted
from billing.flows.order import Order
from billing.ops.group import group
from billing.ops.opening import opened
from billing.ops.options import as_json, ordered
from billing.ops.telling import tell_done, tell_json, tell_table
from billing.privacy.one_time_code import setup_address, setup_key
from billing.queries.operator import list_operators
from billing.rules.permission import Role

_role = click.Choice([each.value for each in Role])


@group("operator")
def operator() -> None:
    """Who may enter the console: add, list, disable, enable, role, reset."""


@operator.command("add")
@click.argument("name")
@click.option("--role", type=_role, required=True, help="What they may do (docs/console.md).")
@click.option("--without-password", is_flag=True, help="They come in through a proxy that says who they are.")
@ordered
@as_json
def add(*, name: str, role: str, without_password: bool, reason: str, by: str, as_json: bool) -> None:
    """Add an operator; their password and second factor are made here and told this once."""
    order = Order(actor=by, reason=reason)
    made = flow.add(opened(), name=name, role=Role(role), with_password=not without_password, order=order)
    _tell(made, as_json=as_json)


@operator.command("list")
@as_json
def list_(*, as_json: bool) -> None:
    """List operators with their role, and when each was last seen."""
    with opened().begin() as session:
        rows = list_operators(session)
    if as_json:
        tell_json(rows)
    elif rows:
        tell_table(rows, ["name", "role", "status", "has_password", "seen_at", "id"])
    else:
        click.echo("No operator yet: `billing operator add` makes one.")


@operator.command("disable")
@click.argument("name")
@ordered
@as_json
def disable(*, name: str, reason: str, by: str, as_json: bool) -> None:
    """Let an operator in no more; their sessions end at once."""
    done = flow.switch(opened(), name=name, on=False, order=Order(actor=by, reason=reason))
    tell_done([done], dry_run=False, as_json=as_json, nothing="")


@operator.command("enable")
@click.argument("name")
@ordered
@as_json
def enable(*, name: str, reason: str, by: str, as_json: bool) -> None:
    """Let a disabled operator in again."""
    done = flow.switch(opened(), name=name, on=True, order=Order(actor=by, reason=reason))
    tell_done([done], dry_run=False, as_json=as_json, nothing="")


@operator.command("role")
@click.argument("name")
@click.argument("role", type=_role)
@ordered
@as_json
def role(*, name: str, role: str, reason: str, by: str, as_json: bool) -> None:
    """Give an operator another role; their sessions end."""
    done = flow.set_role(opened(), name=name, role=Role(role), order=Order(actor=by, reason=reason))
    tell_done([done], dry_run=False, as_json=as_json, nothing="")


@operator.command("reset")
@click.argument("name")
@ordered
@as_json
def reset(*, name: str, reason: str, by: str, as_json: bool) -> None:
    """Make a new password and second factor, told this once; the old ones and all sessions end."""
    _tell(flow.reset(opened(), name=name, order=Order(actor=by, reason=reason)), as_json=as_json)


def _tell(made: Admitted, *, as_json: bool) -> None:
    facts = {"operator": made.done.name, "told": made.done.told}
    if made.credentials is not None:
        secret = made.credentials.second_factor
        facts |= {
            "password": made.credentials.password,
            "setup_key": setup_key(secret),
            "otpauth": setup_address(secret, made.done.name),
        }
    if as_json:
        tell_json(facts)
        return
    click.echo(f"{made.done.name}: {made.done.told}")
    if made.credentials is not None:
        click.echo(f"Password (told this once): {facts['password']}")
        click.echo(f"Key for an authenticator application: {facts['setup_key']}")
        click.echo(f"The same, for a QR code: {facts['otpauth']}")
