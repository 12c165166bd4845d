"""`billing profile`: customers, without what is personal."""

from __future__ import annotations

import click

from billing.ops.opening import opened
from billing.ops.options import as_json
from billing.ops.telling import tell_facts, tell_json
from billing.queries.operations.customers import show_profile
from billing.queries.operations.finding import find_profile
from billing.queries.operations.trail import trail_of, work_about


@click.group("profile")
def profile() -> None:
    """Customers: show."""


@profile.command("show")
@click.argument("name", metavar="ID|ACCOUNT")
@as_json
def show(*, name: str, as_json: bool) -> None:
    """Show one customer: methods, subscriptions, what is owed, the newest invoices. Nothing personal is opened."""
    with opened().begin() as session:
        id_ = find_profile(session, name)
        facts = show_profile(session, id_)
        about = [id_, *(row["id"] for row in facts["subscriptions"]), *(row["id"] for row in facts["invoices"])]
        facts |= {"work_items": work_about(session, about), "audit_trail": trail_of(session, about)}
    tell_json(facts) if as_json else tell_facts(facts)
