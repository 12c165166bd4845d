"""`billing payment`: attempts to move money."""

from __future__ import annotations

from uuid import UUID

import click

from billing.flows import links, operating
from billing.flows.order import Order
from billing.flows.start import start
from billing.kernel.status import PaymentStatus
from billing.ops.group import group
from billing.ops.opening import opened
from billing.ops.options import as_json, ordered, paged
from billing.ops.telling import tell_facts, tell_json, tell_page
from billing.queries.operations.browsing import Browse, list_payments
from billing.queries.operations.finding import find_invoice, find_payment, find_profile
from billing.queries.operations.payments import show_payment
from billing.queries.operations.trail import trail_of, work_about

_COLUMNS = (
    "status", "invoice", "account_id", "amount_minor", "opened_at", "first_sent_at", "next_check_at", "decline_code",
    "id",
)  # fmt: skip


@group("payment")
def payment() -> None:
    """Attempts to move money: list, show, ask the provider, let the customer pay."""


@payment.command("list")
@click.option("--status", type=click.Choice([each.value for each in PaymentStatus]), help="Only those in this state.")
@click.option(
    "--customer", metavar="ACCOUNT|ID", help="Only this customer's, by the host's account or the profile's id."
)
@click.option("--invoice", metavar="NUMBER|ID", help="Only those for this invoice.")
@paged
@as_json
def list_(
    *, status: str | None, customer: str | None, invoice: str | None, limit: int, before: UUID | None, as_json: bool
) -> None:
    """List attempts, newest first; `--status unknown`: those whose outcome nobody knows."""
    with opened().begin() as session:
        wanted = Browse(
            status=status,
            profile_id=find_profile(session, customer) if customer else None,
            invoice_id=find_invoice(session, invoice) if invoice else None,
        )
        page = list_payments(session, wanted, before=before, limit=limit)
    tell_page(page, _COLUMNS, as_json=as_json, nothing="No such attempt.")


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


@payment.command("link")
@click.argument("name", metavar="NUMBER|ID")
@as_json
def link(*, name: str, as_json: bool) -> None:
    """Make a link with which the customer pays this invoice, authenticates or gives another card.

    Whoever has it can open the page until it expires: send it to the customer alone. Each call makes another.
    """
    made = opened()
    with made.begin() as session:
        id_ = find_invoice(session, name)
        address = links.invoice_link(made, session, id_)
    tell_json({"invoice_id": id_, "link": address}) if as_json else click.echo(address)
