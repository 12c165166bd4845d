"""`billing payment`: attempts to move money."""

from __future__ import annotations

import click

from billing.flows import operating
from billing.flows.order import Order
from billing.flows.start import start
from billing.ops.opening import opened
from billing.ops.options import as_json, ordered
from billing.ops.telling import tell_facts, tell_json
from billing.queries.operations.finding import find_payment
from billing.queries.operations.payments import show_payment
from billing.queries.operations.trail import trail_of, work_about


@click.group("payment")
def payment() -> None:
    """Attempts to move money: show, ask the provider."""


@payment.command("show")
@click.argument("name", metavar="ID")
@as_json
def show(*, name: str, as_json: bool) -> None:
    """Show one attempt: its state and evidence, the keys it was sent under, the provider's events about it."""
    with opened().begin() as session:
        id_ = find_payment(session, name)
        facts = show_payment(session, id_)
        facts |= {"work_items": work_about(session, [id_]), "audit_trail": trail_of(session, [id_])}
    tell_json(facts) if as_json else tell_facts(facts)


@payment.command("resolve")
@click.argument("name", metavar="ID")
@ordered
@as_json
def resolve(*, name: str, reason: str, by: str, as_json: bool) -> None:
    """Ask the provider now what became of an open attempt, and settle what is proven.

    Nothing is guessed: without evidence it stays as it is. A closed attempt is left alone and says so.
    """
    made = opened()
    start(made)
    with made.begin() as session:
        id_ = find_payment(session, name)
    answer = operating.resolve_payment(made, id_, order=Order(actor=by, reason=reason))
    if as_json:
        facts = {"id": id_, "asked": answer.asked, "before": answer.before, "status": answer.status}
        tell_json({**facts, "reason": answer.reason})
    elif not answer.asked:
        click.echo(f"Payment {id_} is {answer.status} already; nothing was asked.")
    else:
        click.echo(f"Payment {id_} was {answer.before} and is {answer.status} ({answer.reason or 'no reason given'}).")
