"""`billing dispute`: payments that banks take back, and what is made of a loss."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import click

from billing.flows import disputing
from billing.flows.disputing import Decided
from billing.flows.order import Done, Order
from billing.flows.parts import Parts
from billing.kernel.status import DisputeStatus
from billing.ops.group import group
from billing.ops.opening import opened
from billing.ops.options import as_json, dry_run, ordered, paged
from billing.ops.telling import tell_done, tell_facts, tell_json, tell_page
from billing.queries.operations.disputes import list_disputes, show_dispute
from billing.queries.operations.finding import find_dispute, require_account
from billing.queries.operations.trail import trail_of, work_about

_COLUMNS = (
    "dispute_ref", "status", "invoice", "account_id", "amount_minor", "reason", "due_by", "decision", "id",
)  # fmt: skip


@group("dispute")
def dispute() -> None:
    """Disputes: list, show, decide on a lost one."""


@dispute.command("list")
@click.option("--status", type=click.Choice([each.value for each in DisputeStatus]), help="Only those in this state.")
@click.option("--open", "only_open", is_flag=True, help="Only those that are not over, or lost and not decided on.")
@click.option("--customer", metavar="ACCOUNT", help="Only this customer's, by the account of the host application.")
@paged
@as_json
def list_(
    *, status: str | None, only_open: bool, customer: str | None, limit: int, before: UUID | None, as_json: bool
) -> None:
    """List disputes, newest first."""
    with opened().begin() as session:
        require_account(session, customer)
        page = list_disputes(session, status=status, customer=customer, only_open=only_open, before=before, limit=limit)
    tell_page(page, _COLUMNS, as_json=as_json, nothing="No such dispute.")


@dispute.command("show")
@click.argument("name", metavar="ID")
@as_json
def show(*, name: str, as_json: bool) -> None:
    """Show one dispute: its state, what it has moved, the provider's events, postings, and what was done about it."""
    with opened().begin() as session:
        id_ = find_dispute(session, name)
        facts = show_dispute(session, id_)
        facts |= {"work_items": work_about(session, [id_]), "audit_trail": trail_of(session, [id_])}
    tell_json(facts) if as_json else tell_facts(facts)


@dispute.command("write-off")
@click.argument("name", metavar="ID")
@ordered
@dry_run
@as_json
def write_off(*, name: str, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """Give up what a lost dispute has taken: a loss of ours; invoice and tax stand."""
    order = Order(actor=by, reason=reason, dry_run=dry_run)
    _decide(name, lambda made, id_: disputing.write_off_loss(made, id_, order=order), order, as_json=as_json)


@dispute.command("credit")
@click.argument("name", metavar="ID")
@ordered
@dry_run
@as_json
def credit(*, name: str, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """Own that a lost dispute was right: a credit note takes revenue and tax back; no money moves."""
    order = Order(actor=by, reason=reason, dry_run=dry_run)
    _decide(name, lambda made, id_: disputing.credit_loss(made, id_, order=order), order, as_json=as_json)


def _decide(name: str, act: Callable[[Parts, UUID], Decided], order: Order, *, as_json: bool) -> None:
    made = opened()
    with made.begin() as session:
        id_ = find_dispute(session, name)
    decided = act(made, id_)
    done = Done(id_, f"dispute of {decided.number}", changed=True, told=decided.told)
    tell_done([done], dry_run=order.dry_run, as_json=as_json, nothing="")
