"""`billing acceptance`: what the audit finds and a person has accepted (`billing work accept`)."""

from __future__ import annotations

from uuid import UUID

import click

from billing.flows.accepting import revoke
from billing.flows.order import Order
from billing.ops.group import group
from billing.ops.opening import opened
from billing.ops.options import as_json, dry_run, ordered, paged
from billing.ops.telling import tell_done, tell_facts, tell_json, tell_page
from billing.queries.acceptances import STATES, list_acceptances, show_acceptance
from billing.queries.operations.trail import trail_of

_COLUMNS = ("code", "state", "subject_type", "subject_id", "detail", "reason", "actor", "accepted_at", "id")


@group("acceptance")
def acceptance() -> None:
    """Findings of the audit that were accepted: list, show, revoke."""


@acceptance.command("list")
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@click.option("--code", metavar="CODE", help="Only of this invariant.")
@paged
@as_json
def list_(*, state: str | None, code: str | None, limit: int, before: UUID | None, as_json: bool) -> None:
    """List what was accepted, newest first: of which thing, in which words, by whom and why."""
    with opened().begin() as session:
        page = list_acceptances(session, state=state, code=code, before=before, limit=limit)
    tell_page(page, _COLUMNS, as_json=as_json, nothing="Nothing was accepted.")


@acceptance.command("show")
@click.argument("acceptance_id", metavar="ID", type=click.UUID)
@as_json
def show(*, acceptance_id: UUID, as_json: bool) -> None:
    """Show one, and what was done about it by whom."""
    with opened().begin() as session:
        facts = show_acceptance(session, acceptance_id)
        facts["audit_trail"] = trail_of(session, [acceptance_id, facts["work_item_id"]])
    tell_json(facts) if as_json else tell_facts(facts)


@acceptance.command("revoke")
@click.argument("acceptance_id", metavar="ID", type=click.UUID)
@ordered
@dry_run
@as_json
def revoke_(*, acceptance_id: UUID, reason: str, by: str, dry_run: bool, as_json: bool) -> None:
    """Revoke it: the next audit of everything accuses it again."""
    order = Order(actor=by, reason=reason, dry_run=dry_run)
    done = revoke(opened(), acceptance_id, order=order)
    tell_done([done], dry_run=dry_run, as_json=as_json, nothing="")
