"""Comparing with the provider, for tests: a customer who paid, what the run finds, and what others do meanwhile."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import requests
from sqlalchemy import select, text

from billing.flows import reconciliation
from billing.flows.order import Order
from billing.models import Difference, WorkItem
from tests.flows.company import START, Company

WHY = Order(actor="ada", reason="seen in the provider's dashboard")


def paid_customer(acme: Company) -> UUID:
    """A customer with one paid invoice."""
    profile = acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    return profile


def compare(acme: Company) -> list[tuple[str, str]]:
    """Run it over everything; the open differences by kind and object."""
    reconciliation.reconcile(acme.parts, since=START - timedelta(days=1))
    with acme.begin() as session:
        rows = session.scalars(select(Difference).where(Difference.resolved_at.is_(None)).order_by(Difference.id))
        return [(row.kind, row.object_ref) for row in rows]


def open_item(acme: Company, kind: str) -> WorkItem:
    """The one of that kind."""
    (item,) = [each for each in acme.work_items() if each.kind == kind and each.status == "open"]
    return item


def in_the_dashboard(acme: Company, path: str, **form: str) -> dict[str, object]:
    """Somebody does this in the provider's dashboard."""
    answer = requests.post(
        f"{acme.witness_url}/v1/{path}", data=form, headers={"Authorization": "Bearer sk_test_company"}, timeout=5
    )
    answer.raise_for_status()
    found: dict[str, object] = answer.json()
    return found


def forget(acme: Company, *statements: str) -> None:
    """Our rows say something else by now, whatever holds them."""
    with acme.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            session.execute(text(statement))
