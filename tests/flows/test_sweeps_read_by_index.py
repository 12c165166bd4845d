"""What a tick costs follows what is due: no statement of a sweep can only be answered by reading a whole table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from celery import current_app
from sqlalchemy import text
from sqlalchemy.orm import Session

import billing.tasks  # noqa: F401 (registers them)
from billing.commands.credit.grant import grant_credit
from billing.db.clock import wall_now
from billing.flows import braking, collection, delivery, endpoints, measuring, rights
from billing.flows.order import Order
from billing.queries.audit import recent
from billing.queries.brakes import BrakeKind
from billing.queue.names import AUDIT_TICK, AUDIT_WHOLE, TICKS, TaskName
from billing.validators.endpoint import NewEndpoint
from tests.flows.cents import ORDER
from tests.flows.company import START, Company

SMALL = {
    "seller", "provider_account", "provider_rate", "tax_rate", "product", "price", "coupon", "series", "data_key",
    "brake", "sandbox_clock", "heartbeat", "reconciliation", "database_pin", "endpoint",
    "audit_run", "audit_acceptance",
}  # fmt: skip
"""They grow with the number of companies, prices or days, not with that of customers."""
READS = [tick for tick in TICKS if tick not in (AUDIT_TICK, AUDIT_WHOLE)]
"""The audit reads whole tables: that is its work."""

_OF_NOBODY = """
INSERT INTO billing.ledger_entry (id, seller_id, kind, effective_at, booked_on)
SELECT gen_random_uuid(), :seller_id, 'recognition', now(), current_date FROM generate_series(1, 1000)
"""
"""Among so many entries that have no invoice the planner would not look for those of a customer."""

_OF_OTHERS = """
INSERT INTO billing.invoice
SELECT made.* FROM billing.invoice i, generate_series(1, 5000) n, jsonb_populate_record(i, jsonb_build_object(
    'id', gen_random_uuid(), 'profile_id', md5(n::text)::uuid, 'number', 'other-' || n, 'series_no', 1000 + n,
    'status', CASE WHEN n % 2 = 0 THEN 'open' ELSE i.status END)) made
"""
"""Half of it is open, and no try of it is due."""
_OTHERS = """
INSERT INTO billing.profile
SELECT made.* FROM billing.profile p, generate_series(1, 5000) n, jsonb_populate_record(p, jsonb_build_object(
    'id', md5(n::text)::uuid, 'account_id', 'other-' || n, 'anonymous_id', gen_random_uuid())) made
"""

pytestmark = pytest.mark.new_database


@contextmanager
def _sent() -> Iterator[list[tuple[str, Any]]]:
    """Statements with their values, as they go to the server."""
    sent: list[tuple[str, Any]] = []
    execute = psycopg.Cursor.execute

    def noted(cursor: Any, query: Any, params: Any = None, **named: Any) -> Any:
        sent.append((str(query), params))
        return execute(cursor, query, params, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", noted)
        yield sent


def _plan(session: Session, statement: str, values: Any) -> list[dict[str, Any]]:
    """Its nodes, where the planner reads a table from end to end only if nothing else is left to it."""
    for way in ("seqscan", "hashjoin", "mergejoin"):  # What is right for a table of ten rows shows nothing.
        session.execute(text(f"SET LOCAL enable_{way} = off"))
    driver = session.connection().connection.driver_connection
    assert driver is not None
    (plan,) = driver.execute(f"EXPLAIN (FORMAT JSON) {statement}", values).fetchone()
    nodes = [plan[0]["Plan"]]
    for node in nodes:
        nodes += node.get("Plans", [])
    return nodes


def _whole_reads(acme: Company, statement: str, values: Any) -> set[str]:
    """Tables that this statement reads from end to end, however the planner tries not to."""
    if statement.split(maxsplit=1)[0].upper() not in ("SELECT", "WITH", "UPDATE", "INSERT", "DELETE"):
        return set()
    with acme.parts.begin() as session:
        nodes = _plan(session, statement, values)
        partial = set(
            session.scalars(
                text("SELECT relname FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE indpred IS NOT NULL")
            )
        )
    found = set()
    for node in nodes:
        whole = node["Node Type"] in ("Index Scan", "Index Only Scan", "Bitmap Index Scan") and (
            "Index Cond" not in node and node["Index Name"] not in partial
        )
        if node["Node Type"] == "Seq Scan" or whole:
            found.add(node.get("Relation Name") or node["Index Name"])
    return found - SMALL


def test_a_scrape_reads_by_index(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "a1")
    acme.settle()
    with _sent() as sent:
        measuring.measure(acme.parts)
    assert len(sent) > 8
    found = {statement: tables for statement, values in sent if (tables := _whole_reads(acme, statement, values))}
    assert found == {}, json.dumps({k: sorted(v) for k, v in found.items()}, indent=1)


@pytest.mark.parametrize("tick", READS, ids=lambda tick: tick.name)
def test_a_tick_reads_by_index(acme: Company, tick: TaskName) -> None:
    acme.customer("a1")
    acme.customer("a2", method="pm_card_chargeCustomerFail")
    for account in ("a1", "a2"):
        acme.subscribe(account, account)
    acme.settle()
    _reads_by_index(acme, lambda: current_app.tasks[tick.name].run.__wrapped__(acme.parts))


def test_bringing_events_to_an_endpoint_reads_by_index(acme: Company) -> None:
    network = {"billing_endpoint_networks": "127.0.0.0/8"}
    acme.parts = replace(acme.parts, settings=acme.parts.settings.model_copy(update=network))
    order, new = Order(actor="test", reason="a test"), NewEndpoint("shop", "http://127.0.0.1:9/", ("profile.*",))
    id_ = endpoints.add(acme.parts, seller_id=acme.seller_id, new=new, order=order).done.subject_id
    acme.customer("a1")
    _reads_by_index(acme, lambda: delivery.sweep(acme.parts))
    _reads_by_index(acme, lambda: delivery.deliver(acme.parts, id_))


def test_a_customers_entries_are_found_by_index(acme: Company) -> None:
    profile_id = acme.customer("a1")
    acme.subscribe("a1", "a1")
    acme.settle()
    order = Order(actor="test", reason="a test")
    _reads_by_index(acme, lambda: rights.export(acme.parts, profile_id, order=order), of="billing.ledger_entry")


def test_a_recent_audit_finds_a_customers_entries_by_index(acme: Company) -> None:
    profile_id = acme.customer("a1")
    with acme.parts.begin() as session:
        grant_credit(session, profile_id=profile_id, amount_minor=700, currency="eur", now=START)
    with acme.parts.sessions() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(_OF_NOBODY), {"seller_id": acme.seller_id})
        session.execute(text("ANALYZE billing.ledger_entry"))
        recent.make_room(session)
        with _sent() as sent:
            recent.fill(session, since=wall_now(session) - timedelta(minutes=5), due_before=START)
        ((statement, values),) = (each for each in sent if each[0].startswith("INSERT INTO pg_temp.ledger_entry"))
        used = {node.get("Index Name") for node in _plan(session, statement, values)}
    assert "ix_ledger_entry_profile_id" in used


@pytest.mark.parametrize(
    ("told_by", "asked", "looked_up"),
    [
        ("coalesce(issued_at, created_at)", "profiles", "ix_invoice_profile_id"),
        ("FOR NO KEY UPDATE OF i", "invoices", "ix_invoice_unpaid"),
    ],
    ids=["a plan", "a slice"],
)
def test_few_that_are_due_are_looked_up_though_nothing_was_due_when_statistics_were_taken(
    acme: Company, told_by: str, asked: str, looked_up: str
) -> None:
    """As before each night of renewals: else all that is due is read through, for each tick's and each slice's few."""
    acme.customer("a1")
    acme.subscribe("a1", "a1")
    acme.settle()
    with acme.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(_OTHERS))
        session.execute(text(_OF_OTHERS))
        session.execute(text("ANALYZE billing.profile"))
        session.execute(text("ANALYZE billing.invoice"))
    acme.customer("a2")
    acme.subscribe("a2", "a2")
    braking.stop(acme.parts, BrakeKind.COLLECT, order=ORDER)
    acme.settle_under_a_brake()
    braking.start(acme.parts, BrakeKind.COLLECT, order=ORDER)
    with _sent() as sent:
        collection.plan(acme.parts)
        acme.run_messages()
    statement, values = next(each for each in sent if told_by in each[0] and asked in each[1])
    many = values | {asked: [*values[asked], *(uuid4() for _ in range(100))]}
    with acme.parts.begin() as session:
        nodes = _plan(session, statement, many)
    used = {node.get("Index Name") for node in nodes}
    assert looked_up in used
    assert "ix_invoice_due" not in used
    of_customers = [node["Index Cond"] for node in nodes if node.get("Index Name") == "ix_invoice_profile_id"]
    assert of_customers
    assert all("status" in condition for condition in of_customers), "what they have paid is not read for what they owe"


def _reads_by_index(acme: Company, work: Callable[[], object], *, of: str = "") -> None:
    """Each statement that `work` sends, or each that names the table `of`."""
    with _sent() as everything:
        work()
    sent = [(statement, values) for statement, values in everything if of in statement]
    assert sent
    found = {statement: tables for statement, values in sent if (tables := _whole_reads(acme, statement, values))}
    assert found == {}, json.dumps({k: sorted(v) for k, v in found.items()}, indent=1)
